-- Enter a tick of a schedule, unless it is there.
INSERT INTO prinia_schedule_ticks (schedule, tick, task, fired_at)
VALUES (:schedule, :tick, :task, :now)
ON CONFLICT (schedule, tick) DO NOTHING
