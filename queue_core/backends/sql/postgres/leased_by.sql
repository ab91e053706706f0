-- What a process life of a worker holds, as far as taking it back needs; locked by id, so that no two wait for each other.
SELECT
  task.id, task.seq, task.queue, task.status, task.boot, task.lease, task.attempts, task.run_at,
  task.started_at, task.kill_requested_at, task.worker, task.group_name, task.crashes, task.max_attempts
FROM prinia_tasks AS task
WHERE task.stage = 2
  AND task.boot = :boot
ORDER BY task.id
FOR UPDATE
