-- Let a task wait again, due now, with an attempt left and a clean slate. PostgreSQL's own: the greatest of two values.
UPDATE prinia_tasks
SET
  status = 'Pending',
  reason = NULL,
  stage = CASE WHEN group_name IS NULL THEN 1 ELSE 3 END,
  run_at = :now,
  max_attempts = greatest(max_attempts, attempts + 1),
  crashes = 0,
  done_at = NULL,
  result = NULL,
  progress = NULL,
  progress_note = NULL,
  expires_at = NULL,
  kill_requested_at = NULL,
  lease = lease + 1
WHERE id = :id
