-- Forget some old spans of time.
DELETE FROM prinia_rollups
WHERE (span, queue, start, metric) IN (
  SELECT rollup.span, rollup.queue, rollup.start, rollup.metric
  FROM prinia_queues AS queue
  CROSS JOIN prinia_rollups AS rollup ON rollup.queue = queue.name
  WHERE rollup.span = :span
    AND rollup.start < :before
  LIMIT :limit
)
