-- Schedules, by name.
SELECT
  name, kind, spec, timezone, task, queue, args, codec, options, missed,
  version, declared_at, paused_by, paused_at, pause_reason, last_tick, last_task, next_tick
FROM prinia_schedules
ORDER BY name
LIMIT :limit
