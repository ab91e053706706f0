-- How long things took in some spans of time together, all queues or one.
SELECT rollup.metric, sum(rollup.n)
FROM prinia_queues AS queue
CROSS JOIN prinia_rollups AS rollup ON rollup.queue = queue.name
WHERE rollup.span = :span
  AND rollup.start BETWEEN :since AND :until
  AND rollup.metric >= 'run:'
  AND (:queue IS NULL OR queue.name = :queue)
GROUP BY rollup.metric
