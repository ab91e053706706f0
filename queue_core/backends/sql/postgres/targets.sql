-- The tasks that an action is about, as far as it needs to know them; locked by id, so that no two wait for each other.
SELECT
  task.id, task.seq, task.queue, task.status, task.boot, task.lease, task.attempts, task.run_at,
  task.started_at, task.kill_requested_at, task.worker, task.group_name, task.done_at, task.ran_us
FROM prinia_tasks AS task
WHERE task.id = ANY(:ids)
ORDER BY task.id
FOR UPDATE
