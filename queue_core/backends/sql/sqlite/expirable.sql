-- Some waiting tasks whose time to start has passed.
SELECT seq, id, queue, status, group_name
FROM prinia_tasks INDEXED BY prinia_tasks_expires
WHERE expires_at IS NOT NULL
  AND stage IN (0, 1, 3)
  AND expires_at <= :now
LIMIT :limit
