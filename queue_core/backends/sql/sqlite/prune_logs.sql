-- Forget some lines of a queue that were stored long ago.
DELETE FROM prinia_logs
WHERE place IN (
  SELECT old.place
  FROM prinia_logs AS old INDEXED BY prinia_logs_queue
  WHERE old.queue = :queue
  ORDER BY old.place
  LIMIT :limit
)
  AND stored_at <= :before
