-- Queues with their pause, how many Pending tasks wait for later, and since when the oldest due one waits.
-- Both numbers skip from priority to priority through the claim index, so that a backlog costs nothing.
-- What limits hold back is looked for in a thousand groups, in each among its most urgent tasks.
SELECT
  queue.name,
  queue.paused_by,
  queue.paused_at,
  queue.pause_reason,
  (
    SELECT count(*)
    FROM (
      SELECT 1
      FROM prinia_tasks AS later INDEXED BY prinia_tasks_scheduled
      WHERE later.stage = 0
        AND later.queue = queue.name
        AND later.status = 'Pending'
        AND later.run_at > :now
      LIMIT :cap
    )
  ) AS scheduled,
  (
    WITH RECURSIVE level (priority) AS (
      SELECT max(first.priority)
      FROM prinia_tasks AS first INDEXED BY prinia_tasks_claim
      WHERE first.stage = 1
        AND first.queue = queue.name
      UNION ALL
      SELECT (
        SELECT max(next.priority)
        FROM prinia_tasks AS next INDEXED BY prinia_tasks_claim
        WHERE next.stage = 1
          AND next.queue = queue.name
          AND next.priority < level.priority
      )
      FROM level
      WHERE level.priority IS NOT NULL
      LIMIT 1000
    )
    SELECT count(*)
    FROM (
      SELECT 1
      FROM level
      CROSS JOIN prinia_tasks AS early INDEXED BY prinia_tasks_claim
      WHERE early.stage = 1
        AND early.queue = queue.name
        AND early.priority = level.priority
        AND early.run_at > :now
        AND early.status = 'Pending'
      LIMIT :cap
    )
  ) AS stepped_back,
  (
    WITH RECURSIVE level (priority) AS (
      SELECT max(first.priority)
      FROM prinia_tasks AS first INDEXED BY prinia_tasks_claim
      WHERE first.stage = 1
        AND first.queue = queue.name
      UNION ALL
      SELECT (
        SELECT max(next.priority)
        FROM prinia_tasks AS next INDEXED BY prinia_tasks_claim
        WHERE next.stage = 1
          AND next.queue = queue.name
          AND next.priority < level.priority
      )
      FROM level
      WHERE level.priority IS NOT NULL
      LIMIT 1000
    )
    SELECT min((
      SELECT min(due.run_at)
      FROM prinia_tasks AS due INDEXED BY prinia_tasks_claim
      WHERE due.stage = 1
        AND due.queue = queue.name
        AND due.priority = level.priority
        AND due.run_at <= :now
    ))
    FROM level
  ) AS oldest_due,
  (
    SELECT min((
      SELECT min(soon.run_at)
      FROM prinia_tasks AS soon INDEXED BY prinia_tasks_scheduled
      WHERE soon.stage = 0
        AND soon.queue = queue.name
        AND soon.status = waiting.value
        AND soon.run_at <= :now
    ))
    FROM json_each('["Pending", "Failed"]') AS waiting
  ) AS oldest_unpromoted,
  (
    WITH RECURSIVE named (name) AS (
      SELECT min(first.group_name)
      FROM prinia_tasks AS first INDEXED BY prinia_tasks_held
      WHERE first.stage = 3
        AND first.queue = queue.name
      UNION ALL
      SELECT (
        SELECT min(next.group_name)
        FROM prinia_tasks AS next INDEXED BY prinia_tasks_held
        WHERE next.stage = 3
          AND next.queue = queue.name
          AND next.group_name > named.name
      )
      FROM named
      WHERE named.name IS NOT NULL
      LIMIT 1000
    )
    SELECT min((
      SELECT held.run_at
      FROM prinia_tasks AS held INDEXED BY prinia_tasks_held
      WHERE held.stage = 3
        AND held.queue = queue.name
        AND held.group_name = named.name
      ORDER BY held.priority DESC, held.run_at
      LIMIT 1
    ))
    FROM named
  ) AS oldest_held,
  queue.concurrency,
  queue.rate_n,
  queue.rate_us,
  queue.group_concurrency,
  queue.group_rate_n,
  queue.group_rate_us,
  queue.ordered
FROM prinia_queues AS queue
WHERE (:queue IS NULL OR queue.name = :queue)
ORDER BY queue.name
