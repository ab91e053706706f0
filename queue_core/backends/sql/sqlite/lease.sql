-- Lease chosen tasks to a worker: as Running when they start at once, else as Queued.
UPDATE prinia_tasks
SET
  stage = 2,
  status = CASE WHEN :started THEN 'Running' ELSE 'Queued' END,
  lease = lease + 1,
  boot = :boot,
  worker = :worker,
  queued_at = :now,
  started_at = CASE WHEN :started THEN :now ELSE started_at END,
  attempts = attempts + :started,
  progress = NULL,
  progress_note = NULL
WHERE seq IN (SELECT value FROM json_each(:seqs))
RETURNING
  id, boot, lease, queue, name, args, codec, attempts, max_attempts,
  priority, run_at, created_at, timeout, retry, metadata, status, crashes, checkpoint, group_name, seq
