-- End a task at once; a worker that holds it finds its lease gone.
UPDATE prinia_tasks
SET
  status = 'Killed',
  reason = 'killed',
  stage = NULL,
  done_at = :now,
  lease = lease + 1
WHERE id = :id
