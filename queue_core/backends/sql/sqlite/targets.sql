-- The tasks that an action is about, as far as it needs to know them. SQLite's own: a list is a JSON array.
SELECT
  task.id, task.seq, task.queue, task.status, task.boot, task.lease, task.attempts, task.run_at,
  task.started_at, task.kill_requested_at, task.worker, task.group_name, task.done_at, task.ran_us
FROM json_each(:ids) AS asked
CROSS JOIN prinia_tasks AS task ON task.id = asked.value
