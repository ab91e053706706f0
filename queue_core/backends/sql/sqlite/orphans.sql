-- Some tasks that are held by workers which are silent, ended or unknown.
SELECT
  task.id, task.seq, task.queue, task.status, task.boot, task.lease, task.attempts, task.run_at,
  task.started_at, task.kill_requested_at, task.worker, task.group_name, task.crashes, task.max_attempts
FROM prinia_tasks AS task INDEXED BY prinia_tasks_leased
LEFT JOIN prinia_workers AS worker ON worker.boot = task.boot
WHERE task.stage = 2
  AND (
    worker.boot IS NULL
    OR worker.stopped_at IS NOT NULL
    OR worker.last_heartbeat + worker.lease_us < :now
  )
LIMIT :limit
