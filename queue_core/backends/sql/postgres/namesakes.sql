-- Other process lives of the same name that have not ended as far as is known; locked, so that none whose heartbeat is on its way is taken for dead.
SELECT boot, host, pid, process, last_heartbeat, lease_us
FROM prinia_workers
WHERE name = :name
  AND stopped_at IS NULL
  AND boot <> :boot
ORDER BY boot
FOR UPDATE
