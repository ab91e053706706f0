-- Store a changed declaration.
UPDATE prinia_schedules
SET
  kind = :kind,
  spec = :spec,
  timezone = :timezone,
  task = :task,
  queue = :queue,
  args = :args,
  codec = :codec,
  options = :options,
  missed = :missed,
  version = version + 1,
  declared_at = :now,
  next_tick = :next_tick
WHERE name = :name
