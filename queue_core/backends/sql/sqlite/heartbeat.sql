-- Renew the leases of a process life, unless it was declared lost.
UPDATE prinia_workers
SET
  state = :state,
  running = :running,
  rss = :rss,
  cpu = :cpu,
  last_heartbeat = :now
WHERE boot = :boot
  AND stopped_at IS NULL
