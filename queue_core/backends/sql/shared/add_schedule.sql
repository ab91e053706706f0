-- Store a schedule, unless one of its name is there.
INSERT INTO prinia_schedules (name, kind, spec, timezone, task, queue, args, codec, options, missed, declared_at, next_tick)
VALUES (:name, :kind, :spec, :timezone, :task, :queue, :args, :codec, :options, :missed, :now, :next_tick)
ON CONFLICT (name) DO NOTHING
