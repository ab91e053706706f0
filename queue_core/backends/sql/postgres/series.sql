-- What happened in some spans of time, all queues together or one: what is added up, and what is not yet.
-- Queue by queue (OFFSET 0 keeps it so), because that is the order of the index; names of what is counted come before those of the durations.
SELECT
  happened.start,
  CAST(sum(happened.n) FILTER (WHERE happened.metric = 'pushed') AS bigint) AS pushed,
  CAST(sum(happened.n) FILTER (WHERE happened.metric = 'done') AS bigint) AS done,
  CAST(sum(happened.n) FILTER (WHERE happened.metric = 'failed') AS bigint) AS failed,
  CAST(sum(happened.n) FILTER (WHERE happened.metric = 'killed') AS bigint) AS killed
FROM (
  SELECT rollup.start, rollup.metric, rollup.n
  FROM prinia_queues AS queue
  CROSS JOIN LATERAL (
    SELECT own.start, own.metric, own.n
    FROM prinia_rollups AS own
    WHERE own.span = :span
      AND own.queue = queue.name
      AND own.start BETWEEN :since AND :until
      AND own.metric < 'run:'
    OFFSET 0
  ) AS rollup
  WHERE (CAST(:queue AS text) IS NULL OR queue.name = :queue)
  UNION ALL
  SELECT changed.at - changed.at % span.width, changed.what, changed.n
  FROM prinia_changes AS changed
  JOIN (VALUES ('minute', 60000000), ('hour', 3600000000), ('day', 86400000000)) AS span (name, width) ON span.name = :span
  WHERE changed.xid >= (SELECT below FROM prinia_folded)
    AND changed.at - changed.at % span.width BETWEEN :since AND :until
    AND changed.what IN ('pushed', 'done', 'failed', 'killed')
    AND (CAST(:queue AS text) IS NULL OR changed.queue = :queue)
) AS happened
GROUP BY happened.start
