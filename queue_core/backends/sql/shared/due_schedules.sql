-- The schedules that are due, the longest due first.
SELECT
  name, kind, spec, timezone, task, queue, args, codec, options, missed,
  version, next_tick
FROM prinia_schedules
WHERE paused_at IS NULL
  AND next_tick IS NOT NULL
  AND next_tick <= :now
ORDER BY next_tick, name
LIMIT :limit
