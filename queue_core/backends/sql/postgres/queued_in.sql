-- What is Queued in a queue, as far as giving it back needs; locked by id, so that no two wait for each other.
SELECT
  task.id, task.seq, task.queue, task.status, task.boot, task.lease, task.attempts, task.run_at,
  task.started_at, task.kill_requested_at, task.worker, task.group_name
FROM prinia_tasks AS task
WHERE task.queue = :queue
  AND task.status = 'Queued'
ORDER BY task.id
FOR UPDATE
