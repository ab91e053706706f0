-- The tasks that a process life of a worker holds, newest first. PostgreSQL's own: the beginning of bytes.
SELECT
  task.id, task.seq, task.queue, task.name, task.status, task.reason, task.priority, task.created_at, task.run_at,
  task.attempts, task.max_attempts, task.crashes, task.worker, task.boot, task.queued_at, task.started_at, task.done_at,
  task.ran_us, task.kill_requested_at, task.progress, task.progress_note, task.error, task.tags, task.codec,
  substring(task.args FROM 1 FOR 200) AS args_head
FROM prinia_tasks AS task
WHERE task.stage = 2
  AND task.boot = :boot
ORDER BY task.seq DESC
