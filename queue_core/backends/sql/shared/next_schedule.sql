-- When the next schedule becomes due.
SELECT min(next_tick)
FROM prinia_schedules
WHERE paused_at IS NULL
  AND next_tick IS NOT NULL
  AND next_tick > :now
