-- The oldest place that a search of some queues and states looks at.
SELECT place
FROM (
  SELECT own.seq AS place
  FROM json_each(:queues) AS wanted_queue
  CROSS JOIN json_each(:statuses) AS wanted_status
  CROSS JOIN prinia_tasks AS own INDEXED BY prinia_tasks_list ON own.queue = wanted_queue.value AND own.status = wanted_status.value
)
ORDER BY place DESC
LIMIT 1
OFFSET :window
