-- Forget some old spans of time, looked for queue by queue; what another transaction removes already is left to it.
DELETE FROM prinia_rollups
WHERE ctid = ANY(ARRAY(
  SELECT old.row
  FROM prinia_queues AS queue
  CROSS JOIN LATERAL (
    SELECT rollup.ctid AS row
    FROM prinia_rollups AS rollup
    WHERE rollup.span = :span
      AND rollup.queue = queue.name
      AND rollup.start < :before
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
  ) AS old
  LIMIT :limit
))
