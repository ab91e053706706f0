-- Change when a waiting task is due.
UPDATE prinia_tasks
SET
  run_at = :run_at,
  stage = :stage
WHERE id = :id
