-- The name of a process life that may claim, if it may.
SELECT name
FROM prinia_workers
WHERE boot = :boot
  AND state IN ('running', 'paused', 'stopping')
