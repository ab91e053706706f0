-- Pause a queue that is not paused.
UPDATE prinia_queues
SET
  paused_by = :by,
  paused_at = :now,
  pause_reason = :reason
WHERE name = :queue
  AND paused_at IS NULL
