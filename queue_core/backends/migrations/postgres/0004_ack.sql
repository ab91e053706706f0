-- Store how attempts ended: element i of each array is about the same attempt, ordered by task id, so that no two calls wait for each other. An array
-- that holds nothing but NULL may be NULL itself. An attempt that is unused gives its number back.
-- One is doubted when the connection broke while it was under way before: then it holds also if it is what the task came to.
--
-- held: the places of the acks that held; ended: ids of tasks that came to a final state unasked; worked: queues in which something waits again, or the group of something has room;
-- touched: queues whose numbers changed.
CREATE FUNCTION prinia_ack(
  given_now bigint,
  ack_ids text[],
  ack_boots text[],
  ack_tokens bigint[],
  ack_statuses text[],
  ack_reasons text[],
  ack_outcomes text[],
  ack_delays bigint[],
  ack_unused boolean[],
  ack_rans bigint[],
  ack_results bytea[],
  ack_lines text[],
  ack_types text[],
  ack_messages text[],
  ack_tracebacks text[],
  ack_doubted boolean[],
  OUT held bigint[],
  OUT ended text[],
  OUT worked text[],
  OUT touched text[]
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
  told_of bigint[];
  turned text[];
  groups text[];
BEGIN
  -- A kill that was asked for wins over another attempt. Each task is found by its id, whatever a young table's statistics say: the conditions on it are
  -- written so that no other way is open, since all that run look like few at first, and the plan stays.
  WITH settled AS (
    UPDATE prinia_tasks AS task
    SET
      status = CASE WHEN task.kill_requested_at IS NOT NULL AND ack.again THEN 'Killed' ELSE ack.status END,
      reason = CASE WHEN task.kill_requested_at IS NOT NULL AND ack.again THEN 'killed' ELSE ack.reason END,
      stage = CASE WHEN ack.again AND task.kill_requested_at IS NULL THEN CASE WHEN ack.delay > 0 THEN 0 WHEN task.group_name IS NULL THEN 1 ELSE 3 END END,
      run_at = CASE WHEN ack.again AND task.kill_requested_at IS NULL THEN moment + coalesce(ack.delay, 0) ELSE task.run_at END,
      done_at = CASE WHEN ack.again AND task.kill_requested_at IS NULL THEN NULL ELSE moment END,
      ran_us = ack.ran,
      attempts = task.attempts - CASE WHEN ack.unused THEN 1 ELSE 0 END,
      result = ack.result,
      checkpoint = CASE WHEN ack.status <> 'Done' THEN task.checkpoint END,
      error = CASE WHEN ack.status = 'Done' THEN NULL ELSE coalesce(ack.line, task.error) END,
      lease = task.lease + 1
    FROM (
      SELECT asked.*, asked.status IN ('Failed', 'Pending') AS again
      FROM unnest(
        ack_ids, ack_boots, ack_tokens, ack_statuses, ack_reasons, ack_outcomes, ack_delays, ack_unused, ack_rans, ack_results,
        ack_lines, ack_types, ack_messages, ack_tracebacks
      ) WITH ORDINALITY AS asked (
        id, boot, token, status, reason, outcome, delay, unused, ran, result, line, type, message, traceback, place
      )
    ) AS ack
    WHERE task.id = ANY(ARRAY[ack.id])
      AND task.boot = ack.boot
      AND task.lease = ack.token
      AND (task.status = 'Running') IS TRUE
    RETURNING
      task.id, task.seq, task.queue, task.status, task.attempts + CASE WHEN ack.unused THEN 1 ELSE 0 END AS number, task.worker, task.started_at,
      ack.ran, ack.again, ack.outcome, ack.type, ack.message, ack.traceback, ack.place, task.group_name
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
    array_agg(DISTINCT queue) FILTER (WHERE (again AND status <> 'Killed') OR group_name IS NOT NULL),
    array_agg(DISTINCT queue),
    array_agg(seq) FILTER (WHERE outcome <> 'succeeded'),
    array_agg(queue) FILTER (WHERE group_name IS NOT NULL),
    array_agg(group_name) FILTER (WHERE group_name IS NOT NULL)
  INTO held, ended, worked, touched, told_of, turned, groups
  FROM settled;

  IF groups IS NOT NULL THEN
    PERFORM prinia_turn(turned, groups, moment);
  END IF;

  IF true = ANY(ack_doubted) THEN
    held := held || ARRAY(
      SELECT ack.place
      FROM unnest(ack_ids, ack_boots, ack_tokens, ack_statuses, ack_doubted) WITH ORDINALITY AS ack (id, boot, token, status, doubted, place)
      JOIN prinia_tasks AS task ON task.id = ANY(ARRAY[ack.id])
      WHERE ack.doubted
        AND (task.status = ack.status) IS TRUE
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
END
$$;
