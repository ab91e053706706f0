-- Tasks of some queues and states before a place, nearest first: the first of each queue and state, merged, because there is no index by place alone.
-- :text is what to look for, in small letters, ss for ß; then other forms of its letters, and the small letter of each: lower() may know ASCII only.
-- OFFSET 0 keeps it so that each task of the page is looked up, while the server has no statistics yet.
SELECT
  task.id, task.seq, task.queue, task.name, task.status, task.reason, task.priority, task.created_at, task.run_at,
  task.attempts, task.max_attempts, task.crashes, task.worker, task.boot, task.queued_at, task.started_at, task.done_at,
  task.ran_us, task.kill_requested_at, task.progress, task.progress_note, task.error, task.tags, task.codec,
  substring(task.args FROM 1 FOR 200) AS args_head
FROM (
  SELECT own.queue, own.status, own.seq
  FROM unnest(CAST(:queues AS text[])) AS wanted_queue (name)
  CROSS JOIN unnest(CAST(:statuses AS text[])) AS wanted_status (name)
  CROSS JOIN LATERAL (
    SELECT own.queue, own.status, own.seq
    FROM prinia_tasks AS own
    WHERE own.queue = wanted_queue.name
      AND own.status = wanted_status.name
      AND own.seq < :place
      AND own.seq > :floor
      AND (CAST(:name AS text) IS NULL OR own.name = :name)
      AND (
        CAST(:text AS text[]) IS NULL
        OR EXISTS (
          SELECT
          FROM (VALUES (prinia_readable(own.args)), (own.error), (own.id), (own.key), (own.tags)) AS searched (words)
          WHERE position((CAST(:text AS text[]))[1] IN replace(
            translate(lower(searched.words COLLATE "C"), (CAST(:text AS text[]))[2], (CAST(:text AS text[]))[3]), 'ß', 'ss'
          )) > 0
        )
      )
    ORDER BY own.seq DESC
    LIMIT :limit
  ) AS own
  ORDER BY own.seq DESC
  LIMIT :limit
) AS chosen
CROSS JOIN LATERAL (
  SELECT whole.*
  FROM prinia_tasks AS whole
  WHERE whole.queue = chosen.queue
    AND whole.status = chosen.status
    AND whole.seq = chosen.seq
  OFFSET 0
) AS task
ORDER BY task.seq DESC
