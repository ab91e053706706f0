-- End the pause of a schedule.
UPDATE prinia_schedules
SET
  paused_by = NULL,
  paused_at = NULL,
  pause_reason = NULL,
  next_tick = :next_tick
WHERE name = :name
  AND paused_at IS NOT NULL
