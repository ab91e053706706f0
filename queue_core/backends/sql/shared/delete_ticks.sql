-- Forget the ticks of a schedule.
DELETE FROM prinia_schedule_ticks
WHERE schedule = :schedule
