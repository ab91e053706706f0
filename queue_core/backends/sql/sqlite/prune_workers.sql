-- Forget some workers that ended long ago and hold nothing.
DELETE FROM prinia_workers
WHERE boot IN (
  SELECT ended.boot
  FROM prinia_workers AS ended INDEXED BY prinia_workers_ended
  WHERE ended.stopped_at <= :before
  LIMIT :limit
)
