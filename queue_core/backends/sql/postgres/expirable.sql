-- Some waiting tasks whose time to start has passed; what another transaction takes already is left to it.
SELECT seq, id, queue, status, group_name
FROM prinia_tasks
WHERE expires_at IS NOT NULL
  AND stage IN (0, 1, 3)
  AND expires_at <= :now
LIMIT :limit
FOR UPDATE SKIP LOCKED
