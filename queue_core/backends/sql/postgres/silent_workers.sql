-- Process lives whose leases have run out; locked, so that none whose heartbeat is on its way is taken for dead.
SELECT boot
FROM prinia_workers
WHERE stopped_at IS NULL
  AND last_heartbeat + lease_us < :now
ORDER BY boot
FOR UPDATE
