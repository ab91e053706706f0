-- The rows of the given tasks, as far as a lease on them needs to be checked and settled.
SELECT
  task.id, task.seq, task.queue, task.status, task.boot, task.lease, task.attempts, task.run_at,
  task.started_at, task.kill_requested_at, task.worker, task.group_name
FROM json_each(:ids) AS asked
CROSS JOIN prinia_tasks AS task ON task.id = asked.value
