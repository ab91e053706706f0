-- Record that a process life ended.
UPDATE prinia_workers
SET
  state = :state,
  running = 0,
  stopped_at = :now
WHERE boot = :boot
  AND stopped_at IS NULL
