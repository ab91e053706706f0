-- All tasks after a place, nearest first. Of the arguments only the beginning is read, unless there is a text to look for.
SELECT
  task.id, task.seq, task.queue, task.name, task.status, task.reason, task.priority, task.created_at, task.run_at,
  task.attempts, task.max_attempts, task.crashes, task.worker, task.boot, task.queued_at, task.started_at, task.done_at,
  task.ran_us, task.kill_requested_at, task.progress, task.progress_note, task.error, task.tags, task.codec,
  CASE WHEN length(task.args) > 8192 THEN prinia_head(task.seq) ELSE substr(task.args, 1, 200) END AS args_head
FROM prinia_tasks AS task NOT INDEXED
WHERE task.seq > :place
  AND task.seq > :floor
  AND (:name IS NULL OR task.name = :name)
  AND (:text IS NULL OR prinia_contains(:text, task.args, task.error, task.id, task.key, task.tags))
ORDER BY task.seq ASC
LIMIT :limit
