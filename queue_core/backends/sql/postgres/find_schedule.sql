-- One schedule, held until the end of the transaction. PostgreSQL's own: others may change it meanwhile.
SELECT
  name, kind, spec, timezone, task, queue, args, codec, options, missed,
  version, declared_at, paused_by, paused_at, pause_reason, last_tick, last_task, next_tick
FROM prinia_schedules
WHERE name = :name
FOR UPDATE
