-- Forget some workers that ended long ago and hold nothing; what another transaction removes already is left to it.
DELETE FROM prinia_workers
WHERE ctid = ANY(ARRAY(
  SELECT ended.ctid
  FROM prinia_workers AS ended
  WHERE ended.stopped_at <= :before
    AND ended.stopped_at IS NOT NULL
  LIMIT :limit
  FOR UPDATE SKIP LOCKED
))
