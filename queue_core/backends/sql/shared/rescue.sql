-- Take a task back from a worker that is gone.
UPDATE prinia_tasks
SET
  status = :status,
  reason = :reason,
  stage = :stage,
  done_at = :done_at,
  error = coalesce(:error, error),
  crashes = crashes + 1,
  lease = lease + 1
WHERE id = :id
