-- The rows of the given tasks, as far as a lease on them needs to be checked and settled; locked by id, so that no two wait for each other.
SELECT
  task.id, task.seq, task.queue, task.status, task.boot, task.lease, task.attempts, task.run_at,
  task.started_at, task.kill_requested_at, task.worker, task.group_name
FROM prinia_tasks AS task
WHERE task.id = ANY(:ids)
ORDER BY task.id
FOR UPDATE
