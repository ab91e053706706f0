-- The oldest place that a search of some queues and states looks at.
SELECT own.seq
FROM unnest(CAST(:queues AS text[])) AS wanted_queue (name)
CROSS JOIN unnest(CAST(:statuses AS text[])) AS wanted_status (name)
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
