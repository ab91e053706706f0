-- What happened in some spans of time, all queues together or one. The names of what is counted come before those of the durations.
SELECT
  rollup.start,
  sum(rollup.n) FILTER (WHERE rollup.metric = 'pushed') AS pushed,
  sum(rollup.n) FILTER (WHERE rollup.metric = 'done') AS done,
  sum(rollup.n) FILTER (WHERE rollup.metric = 'failed') AS failed,
  sum(rollup.n) FILTER (WHERE rollup.metric = 'killed') AS killed
FROM prinia_queues AS queue
CROSS JOIN prinia_rollups AS rollup ON rollup.queue = queue.name
WHERE rollup.span = :span
  AND rollup.start BETWEEN :since AND :until
  AND rollup.metric < 'run:'
  AND (:queue IS NULL OR queue.name = :queue)
GROUP BY rollup.start
