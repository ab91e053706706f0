-- Let the next claim look at every group of a queue that has live tasks, found by skipping from name to name.
WITH RECURSIVE named (name) AS (
  SELECT min(task.group_name)
  FROM prinia_tasks AS task INDEXED BY prinia_tasks_group
  WHERE task.queue = :queue
    AND task.group_name IS NOT NULL
    AND task.stage IS NOT NULL
  UNION ALL
  SELECT (
    SELECT min(task.group_name)
    FROM prinia_tasks AS task INDEXED BY prinia_tasks_group
    WHERE task.queue = :queue
      AND task.group_name > named.name
      AND task.stage IS NOT NULL
  )
  FROM named
  WHERE named.name IS NOT NULL
)
INSERT INTO prinia_turns (queue, group_name, due_at)
SELECT :queue, named.name, :now
FROM named
WHERE named.name IS NOT NULL
ON CONFLICT (queue, group_name) DO UPDATE SET
  due_at = min(due_at, excluded.due_at)
