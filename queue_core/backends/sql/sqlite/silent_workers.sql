-- Process lives whose leases have run out.
SELECT boot
FROM prinia_workers INDEXED BY prinia_workers_live
WHERE stopped_at IS NULL
  AND last_heartbeat + lease_us < :now
ORDER BY boot
