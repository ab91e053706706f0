-- How many tasks of each queue are in each state: what is added up, and what is not yet.
SELECT queue.name, counted.status, CAST(sum(counted.n) AS bigint)
FROM prinia_queues AS queue
LEFT JOIN (
  SELECT counter.queue, counter.status, counter.n
  FROM prinia_counters AS counter
  UNION ALL
  SELECT changed.queue, changed.what, changed.n
  FROM prinia_changes AS changed
  WHERE changed.xid >= (SELECT below FROM prinia_folded)
    AND changed.what IN ('Pending', 'Queued', 'Running', 'Failed', 'Done', 'Killed')
) AS counted ON counted.queue = queue.name
GROUP BY queue.name, counted.status
ORDER BY queue.name
