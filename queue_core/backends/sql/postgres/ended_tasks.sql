-- A stretch of the finished tasks of one queue and state, in the order of pushing.
SELECT seq, id, created_at, done_at
FROM prinia_tasks
WHERE queue = :queue
  AND status = :status
  AND seq > :place
ORDER BY seq
LIMIT :limit
