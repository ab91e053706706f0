-- Tasks of some queues and states before a place, nearest first: the first of each queue and state, merged.
-- Of the arguments only the beginning is read, unless there is a text to look for.
SELECT
  task.id, task.seq, task.queue, task.name, task.status, task.reason, task.priority, task.created_at, task.run_at,
  task.attempts, task.max_attempts, task.crashes, task.worker, task.boot, task.queued_at, task.started_at, task.done_at,
  task.ran_us, task.kill_requested_at, task.progress, task.progress_note, task.error, task.tags, task.codec,
  CASE WHEN length(task.args) > 8192 THEN prinia_head(task.seq) ELSE substr(task.args, 1, 200) END AS args_head
FROM json_each(:queues) AS wanted_queue
CROSS JOIN json_each(:statuses) AS wanted_status
CROSS JOIN prinia_tasks AS task ON task.seq IN (
  SELECT own.seq
  FROM prinia_tasks AS own INDEXED BY prinia_tasks_list
  WHERE own.queue = wanted_queue.value
    AND own.status = wanted_status.value
    AND own.seq < :place
    AND own.seq > :floor
    AND (:name IS NULL OR own.name = :name)
    AND (:text IS NULL OR prinia_contains(:text, own.args, own.error, own.id, own.key, own.tags))
  ORDER BY own.seq DESC
  LIMIT :limit
)
ORDER BY task.seq DESC
LIMIT :limit
