-- Let a schedule be due at its next tick, if it is still as it was when somebody looked.
UPDATE prinia_schedules
SET
  last_tick = coalesce(:last_tick, last_tick),
  last_task = coalesce(:last_task, last_task),
  next_tick = :next_tick
WHERE name = :name
  AND version = :version
  AND next_tick = :due
  AND paused_at IS NULL
