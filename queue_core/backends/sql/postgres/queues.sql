-- Queues with their pause, how many Pending tasks wait for later, and since when the oldest due one waits.
-- The due ones are looked for priority by priority through the claim index, so that a backlog costs nothing.
-- What limits hold back is looked for in a thousand groups, in each among its most urgent tasks.
SELECT
  queue.name,
  queue.paused_by,
  queue.paused_at,
  queue.pause_reason,
  (
    SELECT count(*)
    FROM (
      SELECT
      FROM prinia_tasks AS later
      WHERE later.stage = 0
        AND later.queue = queue.name
        AND later.status = 'Pending'
        AND later.run_at > :now
      LIMIT :cap
    ) AS scheduled
  ) AS scheduled,
  due.stepped_back,
  due.oldest AS oldest_due,
  least(
    (
      SELECT min(soon.run_at)
      FROM prinia_tasks AS soon
      WHERE soon.stage = 0
        AND soon.queue = queue.name
        AND soon.status = 'Pending'
        AND soon.run_at <= :now
    ),
    (
      SELECT min(soon.run_at)
      FROM prinia_tasks AS soon
      WHERE soon.stage = 0
        AND soon.queue = queue.name
        AND soon.status = 'Failed'
        AND soon.run_at <= :now
    )
  ) AS oldest_unpromoted,
  (
    WITH RECURSIVE named (name) AS (
      SELECT (
        SELECT min(first.group_name)
        FROM prinia_tasks AS first
        WHERE first.stage = 3
          AND first.queue = queue.name
      )
      UNION ALL
      SELECT (
        SELECT min(next.group_name)
        FROM prinia_tasks AS next
        WHERE next.stage = 3
          AND next.queue = queue.name
          AND next.group_name > named.name
      )
      FROM named
      WHERE named.name IS NOT NULL
    )
    SELECT min((
      SELECT held.run_at
      FROM prinia_tasks AS held
      WHERE held.stage = 3
        AND held.queue = queue.name
        AND held.group_name = named.name
      ORDER BY (- held.priority), held.run_at
      LIMIT 1
    ))
    FROM (SELECT name FROM named LIMIT 1000) AS named
  ) AS oldest_held,
  queue.concurrency,
  queue.rate_n,
  queue.rate_us,
  queue.group_concurrency,
  queue.group_rate_n,
  queue.group_rate_us,
  queue.ordered
FROM prinia_queues AS queue
CROSS JOIN LATERAL (
  WITH RECURSIVE level (rank) AS (
    SELECT (
      SELECT min(- first.priority)
      FROM prinia_tasks AS first
      WHERE first.stage = 1
        AND first.queue = queue.name
    )
    UNION ALL
    SELECT (
      SELECT min(- next.priority)
      FROM prinia_tasks AS next
      WHERE next.stage = 1
        AND next.queue = queue.name
        AND (- next.priority) > level.rank
    )
    FROM level
    WHERE level.rank IS NOT NULL
  )
  SELECT
    (
      SELECT count(*)
      FROM (
        SELECT
        FROM (SELECT rank FROM level LIMIT 1000) AS level
        CROSS JOIN LATERAL (
          SELECT
          FROM prinia_tasks AS early
          WHERE early.stage = 1
            AND early.queue = queue.name
            AND (- early.priority) = level.rank
            AND early.run_at > :now
            AND early.status = 'Pending'
          LIMIT :cap
        ) AS early
        LIMIT :cap
      ) AS early
    ) AS stepped_back,
    (
      SELECT min((
        SELECT min(waiting.run_at)
        FROM prinia_tasks AS waiting
        WHERE waiting.stage = 1
          AND waiting.queue = queue.name
          AND (- waiting.priority) = level.rank
          AND waiting.run_at <= :now
      ))
      FROM (SELECT rank FROM level LIMIT 1000) AS level
    ) AS oldest
) AS due
WHERE (CAST(:queue AS text) IS NULL OR queue.name = :queue)
ORDER BY queue.name
