-- Forget a schedule.
DELETE FROM prinia_schedules
WHERE name = :name
