-- The oldest place that a search of all tasks looks at.
SELECT own.seq
FROM prinia_queues AS wanted_queue
CROSS JOIN (VALUES ('Pending'), ('Queued'), ('Running'), ('Failed'), ('Done'), ('Killed')) AS wanted_status (name)
CROSS JOIN LATERAL (
  SELECT task.seq
  FROM prinia_tasks AS task
  WHERE task.queue = wanted_queue.name
    AND task.status = wanted_status.name
  ORDER BY task.seq DESC
  LIMIT CAST(:window AS bigint) + 1
) AS own
ORDER BY own.seq DESC
LIMIT 1
OFFSET :window
