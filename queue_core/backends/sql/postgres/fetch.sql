-- Whole tasks, in the order of the given ids. PostgreSQL's own: a list is an array.
SELECT
  task.id, task.seq, task.queue, task.name, task.status, task.reason, task.priority, task.created_at, task.run_at,
  task.attempts, task.max_attempts, task.crashes, task.worker, task.boot, task.queued_at, task.started_at, task.done_at,
  task.ran_us, task.kill_requested_at, task.progress, task.progress_note, task.error, task.tags,
  task.args, task.codec, task.result, task.timeout, task.retry, task.key, task.expires_at, task.metadata, task.parent, task.checkpoint, task.group_name
FROM unnest(CAST(:ids AS text[])) WITH ORDINALITY AS asked (id, place)
CROSS JOIN LATERAL (
  SELECT whole.*
  FROM prinia_tasks AS whole
  WHERE whole.id = asked.id
  OFFSET 0
) AS task
ORDER BY asked.place
