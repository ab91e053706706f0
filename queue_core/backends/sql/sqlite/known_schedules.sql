-- The schedules of these names, as far as they were declared, to look at.
SELECT
  schedule.name, schedule.kind, schedule.spec, schedule.timezone, schedule.task, schedule.queue, schedule.args, schedule.codec, schedule.options,
  schedule.missed
FROM json_each(:names) AS asked
CROSS JOIN prinia_schedules AS schedule ON schedule.name = asked.value
