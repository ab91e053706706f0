-- How many tasks of a queue workers hold, as counted before this transaction.
SELECT sum(n)
FROM prinia_counters
WHERE queue = :queue
  AND status IN ('Queued', 'Running')
