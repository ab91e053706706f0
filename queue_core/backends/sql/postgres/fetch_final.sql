-- Those of the given tasks that have reached a final state, whole, as they reached it. PostgreSQL's own: a list is an array.
SELECT
  task.id, task.seq, task.queue, task.name, task.status, task.reason, task.priority, task.created_at, task.run_at,
  task.attempts, task.max_attempts, task.crashes, task.worker, task.boot, task.queued_at, task.started_at, task.done_at,
  task.ran_us, task.kill_requested_at, task.progress, task.progress_note, task.error, task.tags,
  task.args, task.codec, task.result, task.timeout, task.retry, task.key, task.expires_at, task.metadata, task.parent, task.checkpoint, task.group_name
FROM prinia_tasks AS task
WHERE task.id = ANY(:ids)
  AND task.stage IS NULL
ORDER BY task.done_at, task.seq
