-- One turn of a worker: store how attempts ended, then lease what is due next. One round trip and one commit for both.
--
-- The acks: element i of each ack_ array is about the same attempt, ordered by task id, so that no two turns wait for each other. One is doubted
-- when the connection broke while it was under way before: then it holds also if it is what the task came to.
-- The claim: up to claim_limit due tasks of the queues for the process life claimer, the first start_limit of them Running at once.
-- low_: where the first task of the claimer's last full claim stood. Index entries before it were taken already, and while somebody
-- holds an old snapshot nobody can clean them away; without this bound each claim would walk over all of them.
--
-- One row for each leased task, in the order in which they should start; then one row with id NULL and the columns at the end:
-- held (which acks held, by place), ended (ids that came to a final state unasked), worked (queues in which something waits again),
-- touched (queues whose numbers changed), next_due (microseconds until more is due; NULL when more is due already, or nothing is), overdue (whether tasks wait whose
-- time has passed).
CREATE FUNCTION prinia_turn(
  given_now bigint,
  ack_ids text[],
  ack_boots text[],
  ack_tokens bigint[],
  ack_statuses text[],
  ack_reasons text[],
  ack_outcomes text[],
  ack_delays bigint[],
  ack_uses boolean[],
  ack_rans bigint[],
  ack_results bytea[],
  ack_lines text[],
  ack_types text[],
  ack_messages text[],
  ack_tracebacks text[],
  ack_doubted boolean[],
  claimer text,
  claim_queues text[],
  claim_names text[],
  claim_limit integer,
  start_limit integer,
  low_rank integer,
  low_run_at bigint,
  low_seq bigint
)
RETURNS TABLE (
  id text,
  boot text,
  lease bigint,
  queue text,
  name text,
  args bytea,
  codec text,
  attempts integer,
  max_attempts integer,
  priority integer,
  run_at bigint,
  created_at bigint,
  timeout double precision,
  retry text,
  metadata text,
  status text,
  crashes integer,
  seq bigint,
  held bigint[],
  ended text[],
  worked text[],
  touched text[],
  next_due bigint,
  overdue boolean
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  moment CONSTANT bigint := prinia_now(given_now);
  claiming text;
  open_queues text[];
  told_of bigint[];
  n integer := 0;
BEGIN
  -- The acks. A kill that was asked for wins over another attempt.
  IF cardinality(ack_ids) > 0 THEN
    WITH settled AS (
      UPDATE prinia_tasks AS task
      SET
        status = CASE WHEN task.kill_requested_at IS NOT NULL AND ack.again THEN 'Killed' ELSE ack.status END,
        reason = CASE WHEN task.kill_requested_at IS NOT NULL AND ack.again THEN 'killed' ELSE ack.reason END,
        stage = CASE WHEN ack.again AND task.kill_requested_at IS NULL THEN CASE WHEN ack.delay > 0 THEN 0 ELSE 1 END END,
        run_at = CASE WHEN ack.again AND task.kill_requested_at IS NULL THEN moment + ack.delay ELSE task.run_at END,
        done_at = CASE WHEN ack.again AND task.kill_requested_at IS NULL THEN NULL ELSE moment END,
        ran_us = ack.ran,
        attempts = task.attempts - CASE WHEN ack.uses THEN 0 ELSE 1 END,
        result = ack.result,
        error = CASE WHEN ack.status = 'Done' THEN NULL ELSE coalesce(ack.line, task.error) END,
        lease = task.lease + 1
      FROM (
        SELECT asked.*, asked.status IN ('Failed', 'Pending') AS again
        FROM unnest(
          ack_ids, ack_boots, ack_tokens, ack_statuses, ack_reasons, ack_outcomes, ack_delays, ack_uses, ack_rans, ack_results,
          ack_lines, ack_types, ack_messages, ack_tracebacks
        ) WITH ORDINALITY AS asked (
          id, boot, token, status, reason, outcome, delay, uses, ran, result, line, type, message, traceback, place
        )
      ) AS ack
      WHERE task.id = ack.id
        AND task.boot = ack.boot
        AND task.lease = ack.token
        AND task.status = 'Running'
      RETURNING
        task.id, task.seq, task.queue, task.status, task.attempts + CASE WHEN ack.uses THEN 0 ELSE 1 END AS number, task.worker, task.started_at,
        ack.ran, ack.again, ack.outcome, ack.type, ack.message, ack.traceback, ack.place
    ),
    history AS (
      INSERT INTO prinia_attempts (task, number, started_at, finished_at, ran_us, worker, outcome, error_type, message, traceback)
      SELECT seq, number, started_at, moment, ran, worker, outcome, type, message, traceback
      FROM settled
      WHERE outcome <> 'succeeded'
      ORDER BY place
    ),
    kinds AS (
      SELECT queue, status, prinia_bucket(ran) AS bucket, count(*) AS n
      FROM settled
      GROUP BY queue, status, bucket
    ),
    counted AS (
      INSERT INTO prinia_changes (at, n, queue, what)
      SELECT moment, sum(change.n), kinds.queue, change.what
      FROM kinds
      CROSS JOIN LATERAL (
        VALUES
          ('Running', - kinds.n),
          (kinds.status, kinds.n),
          ('run:' || kinds.bucket, kinds.n),
          (CASE kinds.status WHEN 'Done' THEN 'done' WHEN 'Failed' THEN 'failed' WHEN 'Killed' THEN 'killed' END, kinds.n)
      ) AS change (what, n)
      WHERE change.what IS NOT NULL
      GROUP BY kinds.queue, change.what
    )
    SELECT
      array_agg(place),
      array_agg(id) FILTER (WHERE again AND status = 'Killed'),
      array_agg(DISTINCT queue) FILTER (WHERE again AND status <> 'Killed'),
      array_agg(DISTINCT queue),
      array_agg(seq) FILTER (WHERE outcome <> 'succeeded')
    INTO held, ended, worked, touched, told_of
    FROM settled;

    IF true = ANY(ack_doubted) THEN
      held := held || ARRAY(
        SELECT ack.place
        FROM unnest(ack_ids, ack_boots, ack_tokens, ack_statuses, ack_doubted) WITH ORDINALITY AS ack (id, boot, token, status, doubted, place)
        JOIN prinia_tasks AS task ON task.id = ack.id
        WHERE ack.doubted
          AND task.status = ack.status
          AND task.boot = ack.boot
          AND task.lease = ack.token + 1
          AND NOT ack.place = ANY(coalesce(held, '{}'))
      );
    END IF;

    IF told_of IS NOT NULL THEN
      DELETE FROM prinia_attempts AS forgotten
      USING unnest(told_of) AS busy (task)
      CROSS JOIN LATERAL (
        SELECT old.place
        FROM prinia_attempts AS old
        WHERE old.task = busy.task
        ORDER BY old.place DESC
        OFFSET 100
      ) AS surplus
      WHERE forgotten.task = busy.task
        AND forgotten.place = surplus.place;
    END IF;
  END IF;

  -- The claim. What it did can be undone by a loss of power without harm: that looks like a worker that died.
  IF claimer IS NOT NULL THEN
    IF coalesce(cardinality(ack_ids), 0) = 0 THEN
      PERFORM set_config('synchronous_commit', 'off', true);
    END IF;

    SELECT worker.name INTO claiming
    FROM prinia_workers AS worker
    WHERE worker.boot = claimer
      AND worker.state IN ('running', 'paused', 'stopping');
  END IF;

  IF claiming IS NOT NULL THEN
    -- Shared with all other claims; whoever pauses a queue takes it alone, so that after the pause nothing is leased any more.
    PERFORM pg_advisory_xact_lock_shared(hashtext('{schema}.pause'), hashtext(asked.queue))
    FROM (SELECT DISTINCT unnest(claim_queues) AS queue ORDER BY queue) AS asked;

    open_queues := ARRAY(
      SELECT asked.queue
      FROM (SELECT DISTINCT unnest(claim_queues) AS queue) AS asked
      LEFT JOIN prinia_queues AS known ON known.name = asked.queue
      WHERE known.paused_at IS NULL
    );

    -- Scheduled tasks whose time has come join the due ones first, so that the order is that of all together.
    IF EXISTS (
      SELECT FROM prinia_tasks AS soon
      WHERE soon.stage = 0
        AND soon.queue = ANY(open_queues)
        AND soon.status IN ('Pending', 'Failed')
        AND soon.run_at <= moment
    ) THEN
      UPDATE prinia_tasks AS task
      SET stage = 1
      FROM (
        SELECT soon.ctid AS row
        FROM prinia_tasks AS soon
        WHERE soon.stage = 0
          AND soon.queue = ANY(open_queues)
          AND soon.status IN ('Pending', 'Failed')
          AND soon.run_at <= moment
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
      ) AS found
      WHERE task.ctid = found.row;
      low_rank := NULL;
    END IF;

    RETURN QUERY
    WITH found AS (
      SELECT due.*
      FROM unnest(open_queues) AS open (queue)
      CROSS JOIN LATERAL (
        SELECT *
        FROM (
          SELECT task.ctid AS row, - task.priority AS rank, task.run_at, task.seq, task.status AS was
          FROM prinia_tasks AS task
          WHERE task.stage = 1
            AND task.queue = open.queue
            AND (- task.priority) < low_rank
            AND task.run_at <= moment
            AND (claim_names IS NULL OR task.name = ANY(claim_names))
            AND (task.expires_at IS NULL OR task.expires_at > moment)
          ORDER BY (- task.priority), task.run_at, task.seq
          LIMIT claim_limit
          FOR UPDATE SKIP LOCKED
        ) AS above
        UNION ALL
        SELECT *
        FROM (
          SELECT task.ctid AS row, - task.priority AS rank, task.run_at, task.seq, task.status AS was
          FROM prinia_tasks AS task
          WHERE task.stage = 1
            AND task.queue = open.queue
            AND ((- task.priority), task.run_at, task.seq) >= (coalesce(low_rank, -2147483648), coalesce(low_run_at, 0), coalesce(low_seq, 0))
            AND task.run_at <= moment
            AND (claim_names IS NULL OR task.name = ANY(claim_names))
            AND (task.expires_at IS NULL OR task.expires_at > moment)
          ORDER BY (- task.priority), task.run_at, task.seq
          LIMIT claim_limit
          FOR UPDATE SKIP LOCKED
        ) AS beyond
      ) AS due
    ),
    chosen AS (
      SELECT found.*, row_number() OVER (ORDER BY found.rank, found.run_at, found.seq) AS place
      FROM found
      ORDER BY found.rank, found.run_at, found.seq
      LIMIT claim_limit
    ),
    leased AS (
      UPDATE prinia_tasks AS task
      SET
        stage = 2,
        status = CASE WHEN chosen.place <= start_limit THEN 'Running' ELSE 'Queued' END,
        lease = task.lease + 1,
        boot = claimer,
        worker = claiming,
        queued_at = moment,
        started_at = CASE WHEN chosen.place <= start_limit THEN moment ELSE task.started_at END,
        attempts = task.attempts + CASE WHEN chosen.place <= start_limit THEN 1 ELSE 0 END,
        progress = NULL,
        progress_note = NULL
      FROM chosen
      WHERE task.ctid = chosen.row
      RETURNING task.*, chosen.was, chosen.place
    ),
    kinds AS (
      SELECT queue, was, status, prinia_bucket(moment - run_at) AS bucket, count(*) AS n
      FROM leased
      GROUP BY queue, was, status, bucket
    ),
    counted AS (
      INSERT INTO prinia_changes (at, n, queue, what)
      SELECT moment, sum(change.n), kinds.queue, change.what
      FROM kinds
      CROSS JOIN LATERAL (
        VALUES
          (kinds.was, - kinds.n),
          (kinds.status, kinds.n),
          ('claimed', kinds.n),
          (CASE kinds.status WHEN 'Running' THEN 'wait:' || kinds.bucket END, kinds.n)
      ) AS change (what, n)
      WHERE change.what IS NOT NULL
      GROUP BY kinds.queue, change.what
    )
    SELECT
      leased.id, leased.boot, leased.lease, leased.queue, leased.name, leased.args, leased.codec, leased.attempts, leased.max_attempts,
      leased.priority, leased.run_at, leased.created_at, leased.timeout, leased.retry, leased.metadata, leased.status, leased.crashes, leased.seq,
      NULL::bigint[], NULL::text[], NULL::text[], NULL::text[], NULL::bigint, NULL::boolean
    FROM leased
    ORDER BY leased.place;
    GET DIAGNOSTICS n = ROW_COUNT;

    IF n < claim_limit OR NOT EXISTS (
      SELECT
      FROM prinia_tasks AS task
      WHERE task.stage = 1
        AND task.queue = ANY(open_queues)
        AND ((- task.priority), task.run_at, task.seq) >= (coalesce(low_rank, -2147483648), coalesce(low_run_at, 0), coalesce(low_seq, 0))
        AND task.run_at <= moment
        AND (claim_names IS NULL OR task.name = ANY(claim_names))
        AND (task.expires_at IS NULL OR task.expires_at > moment)
    ) THEN
      next_due := prinia_next_due(open_queues, moment) - moment;
    END IF;
  END IF;

  overdue := EXISTS (
    SELECT FROM prinia_tasks AS late
    WHERE late.expires_at <= moment
      AND late.expires_at IS NOT NULL
      AND late.stage IN (0, 1)
  );
  id := NULL;
  RETURN NEXT;
END
$$;
