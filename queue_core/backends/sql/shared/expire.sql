-- End a task that did not start in time.
UPDATE prinia_tasks
SET
  status = 'Killed',
  reason = 'expired',
  stage = NULL,
  done_at = :now,
  lease = lease + 1
WHERE id = :id
