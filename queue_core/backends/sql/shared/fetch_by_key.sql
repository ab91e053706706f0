-- The task that has this idempotency key in the queue.
SELECT
  id, seq, queue, name, status, reason, priority, created_at, run_at, attempts, max_attempts, crashes, worker, boot,
  queued_at, started_at, done_at, ran_us, kill_requested_at, progress, progress_note, error, tags,
  args, codec, result, timeout, retry, key, expires_at, metadata, parent
FROM prinia_tasks
WHERE queue = :queue
  AND key = :key
