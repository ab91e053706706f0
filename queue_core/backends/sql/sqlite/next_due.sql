-- When the next task of the queues is due: a scheduled one, or one that was due until the clock stepped back.
-- The latter are looked for priority by priority through the claim index, so that a backlog costs nothing.
SELECT min(first.run_at)
FROM (
  SELECT (
    SELECT min(task.run_at)
    FROM prinia_tasks AS task INDEXED BY prinia_tasks_scheduled
    WHERE task.stage = 0
      AND task.queue = queue.value
      AND task.status = waiting.value
  ) AS run_at
  FROM json_each(:queues) AS queue
  CROSS JOIN json_each('["Pending", "Failed"]') AS waiting
  UNION ALL
  SELECT (
    WITH RECURSIVE level (priority) AS (
      SELECT max(highest.priority)
      FROM prinia_tasks AS highest INDEXED BY prinia_tasks_claim
      WHERE highest.stage = 1
        AND highest.queue = queue.value
      UNION ALL
      SELECT (
        SELECT max(next.priority)
        FROM prinia_tasks AS next INDEXED BY prinia_tasks_claim
        WHERE next.stage = 1
          AND next.queue = queue.value
          AND next.priority < level.priority
      )
      FROM level
      WHERE level.priority IS NOT NULL
      LIMIT 1000
    )
    SELECT min((
      SELECT min(task.run_at)
      FROM prinia_tasks AS task INDEXED BY prinia_tasks_claim
      WHERE task.stage = 1
        AND task.queue = queue.value
        AND task.priority = level.priority
        AND task.run_at > :now
    ))
    FROM level
  ) AS run_at
  FROM json_each(:queues) AS queue
) AS first
