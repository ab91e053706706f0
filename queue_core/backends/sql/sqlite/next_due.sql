-- When the next scheduled task of the queues is due.
SELECT min((
  SELECT min(task.run_at)
  FROM prinia_tasks AS task INDEXED BY prinia_tasks_scheduled
  WHERE task.stage = 0
    AND task.queue = queue.value
    AND task.status = waiting.value
))
FROM json_each(:queues) AS queue
CROSS JOIN json_each('["Pending", "Failed"]') AS waiting
