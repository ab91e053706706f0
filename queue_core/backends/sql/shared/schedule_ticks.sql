-- The newest ticks of a schedule.
SELECT tick, task, fired_at
FROM prinia_schedule_ticks
WHERE schedule = :schedule
ORDER BY tick DESC
LIMIT :limit
