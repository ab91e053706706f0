-- Forget some lines of a queue that were stored long ago; what another transaction removes already is left to it.
DELETE FROM prinia_logs
WHERE ctid = ANY(ARRAY(
  SELECT old.ctid
  FROM (
    SELECT line.ctid, line.stored_at
    FROM prinia_logs AS line
    WHERE line.queue = :queue
    ORDER BY line.place
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
  ) AS old
  WHERE old.stored_at <= :before
))
