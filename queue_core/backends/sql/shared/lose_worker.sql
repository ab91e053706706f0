-- Mark a process life as lost.
UPDATE prinia_workers
SET
  state = 'lost',
  running = 0,
  stopped_at = :now
WHERE boot = :boot
  AND stopped_at IS NULL
RETURNING name
