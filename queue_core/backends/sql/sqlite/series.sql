-- What happened in some spans of time, all queues together or one.
SELECT rollup.start, rollup.metric, sum(rollup.n)
FROM prinia_queues AS queue
CROSS JOIN prinia_rollups AS rollup ON rollup.queue = queue.name
WHERE rollup.span = :span
  AND rollup.start BETWEEN :since AND :until
  AND (:queue IS NULL OR queue.name = :queue)
GROUP BY rollup.start, rollup.metric
