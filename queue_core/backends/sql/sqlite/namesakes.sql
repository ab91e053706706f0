-- Other process lives of the same name that have not ended, as far as is known.
SELECT boot, host, pid, process, last_heartbeat, lease_us
FROM prinia_workers
WHERE name = :name
  AND stopped_at IS NULL
  AND boot <> :boot
ORDER BY boot
