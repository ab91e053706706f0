-- The number of the last stored line of a task, if the lease is the one that logged it.
SELECT latest.number
FROM (
  SELECT line.number, line.lease
  FROM prinia_logs AS line
  WHERE line.task = :task
  ORDER BY line.place DESC
  LIMIT 1
) AS latest
WHERE latest.lease = :lease
