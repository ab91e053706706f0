-- Lease up to claim_limit due tasks of the queues to the process life claimer, the first start_limit of them Running at once. It need not wait for
-- the disk: what a loss of power undoes looks like a worker that died.
--
-- low_: where the first task of the claimer's last full claim stood. Index entries before it were taken already, and while somebody
-- holds an old snapshot nobody can clean them away; without this bound each claim would walk over all of them.
--
-- Plans are made once, maybe in an empty table, since making them would take as long as a claim. So each look at the tasks is in the order of the index
-- made for it, and ends at a limit: then no other way is open.
--
-- One row for each leased task, in the order in which they should start; then one with id NULL and the last columns: next_due (microseconds until
-- more is due; NULL when more is due already, or nothing is), overdue (whether tasks wait whose time has passed). Where limits are to be looked at,
-- prinia_claim_limited does that, which calls this again with rooms (how many tasks of each queue may be taken; NULL for any number) and adds a row of
-- the last kind, with limited (queues with a limit of their own).
CREATE FUNCTION prinia_claim(
  given_now bigint,
  claimer text,
  claim_queues text[],
  claim_names text[],
  claim_limit integer,
  start_limit integer,
  low_rank integer,
  low_run_at bigint,
  low_seq bigint,
  rooms integer[] DEFAULT NULL
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
  checkpoint bytea,
  group_name text,
  seq bigint,
  next_due bigint,
  overdue boolean,
  limited text[]
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET enable_sort = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  moment CONSTANT bigint := prinia_now(given_now);
  claiming text;
  open_queues text[];
  open_rooms integer[];
  are_limited boolean;
  n integer;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);

  SELECT worker.name INTO claiming
  FROM prinia_workers AS worker
  WHERE worker.boot = claimer
    AND worker.state IN ('running', 'paused', 'stopping');
  IF claiming IS NULL THEN
    overdue := false;
    RETURN NEXT;
    RETURN;
  END IF;

  -- Shared with all other claims; whoever pauses a queue takes it alone, so that after the pause nothing is leased any more.
  PERFORM pg_advisory_xact_lock_shared(hashtext('{schema}.pause'), hashtext(asked.queue))
  FROM (SELECT DISTINCT unnest(claim_queues) AS queue ORDER BY queue) AS asked;

  SELECT coalesce(array_agg(asked.queue), '{}'), array_agg(asked.room), coalesce(bool_or(known.limited > 0), false)
  INTO open_queues, open_rooms, are_limited
  FROM (SELECT DISTINCT queue, room FROM unnest(claim_queues, rooms) AS asked (queue, room)) AS asked
  LEFT JOIN prinia_queues AS known ON known.name = asked.queue
  WHERE known.paused_at IS NULL;
  IF are_limited AND rooms IS NULL THEN
    RETURN QUERY SELECT * FROM prinia_claim_limited(given_now, claimer, open_queues, claim_names, claim_limit, start_limit);
    RETURN;
  END IF;

  -- Scheduled tasks whose time has come join the due ones first, so that the order is that of all together.
  IF EXISTS (
    SELECT
    FROM unnest(open_queues) AS open (queue)
    CROSS JOIN (VALUES ('Pending'), ('Failed')) AS waiting (status)
    CROSS JOIN LATERAL (
      SELECT
      FROM prinia_tasks AS soon
      WHERE soon.stage = 0
        AND soon.queue = open.queue
        AND soon.status = waiting.status
        AND soon.run_at <= moment
        AND soon.group_name IS NULL
      ORDER BY soon.run_at
      LIMIT 1
    ) AS first
  ) THEN
    UPDATE prinia_tasks AS task
    SET stage = 1
    FROM (
      SELECT come.row
      FROM unnest(open_queues) AS open (queue)
      CROSS JOIN (VALUES ('Pending'), ('Failed')) AS waiting (status)
      CROSS JOIN LATERAL (
        SELECT soon.ctid AS row
        FROM prinia_tasks AS soon
        WHERE soon.stage = 0
          AND soon.queue = open.queue
          AND soon.status = waiting.status
          AND soon.run_at <= moment
          AND soon.group_name IS NULL
        ORDER BY soon.run_at
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
      ) AS come
      LIMIT 1000
    ) AS found
    WHERE task.ctid = found.row;
    low_rank := NULL;
  END IF;

  RETURN QUERY
  WITH found AS (
    SELECT due.*
    FROM unnest(open_queues, open_rooms) AS open (queue, room)
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
        LIMIT least(claim_limit, open.room)
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
        LIMIT least(claim_limit, open.room)
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
    leased.priority, leased.run_at, leased.created_at, leased.timeout, leased.retry, leased.metadata, leased.status, leased.crashes,
    leased.checkpoint, leased.group_name, leased.seq, NULL::bigint, NULL::boolean, NULL::text[]
  FROM leased
  ORDER BY leased.place;
  GET DIAGNOSTICS n = ROW_COUNT;

  IF n < claim_limit OR NOT EXISTS (
    SELECT
    FROM unnest(open_queues) AS open (queue)
    CROSS JOIN LATERAL (
      SELECT
      FROM prinia_tasks AS task
      WHERE task.stage = 1
        AND task.queue = open.queue
        AND ((- task.priority), task.run_at, task.seq) >= (coalesce(low_rank, -2147483648), coalesce(low_run_at, 0), coalesce(low_seq, 0))
        AND task.run_at <= moment
        AND (claim_names IS NULL OR task.name = ANY(claim_names))
        AND (task.expires_at IS NULL OR task.expires_at > moment)
      ORDER BY (- task.priority), task.run_at, task.seq
      LIMIT 1
    ) AS more
  ) THEN
    next_due := prinia_next_due(open_queues, moment) - moment;
  END IF;

  overdue := EXISTS (
    SELECT FROM prinia_tasks AS late
    WHERE late.expires_at <= moment
      AND late.expires_at IS NOT NULL
      AND late.stage IN (0, 1, 3)
  );
  id := NULL;
  RETURN NEXT;
END
$$;
