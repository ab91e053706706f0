-- Pause a schedule that is not paused.
UPDATE prinia_schedules
SET
  paused_by = :by,
  paused_at = :now,
  pause_reason = :reason
WHERE name = :name
  AND paused_at IS NULL
