-- The schedules of these names, as far as they were declared, to look at. PostgreSQL's own: it takes the names as an array.
SELECT name, kind, spec, timezone, task, queue, args, codec, options, missed
FROM prinia_schedules
WHERE name = ANY(:names)
