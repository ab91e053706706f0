-- Change when a waiting task is due.
UPDATE prinia_tasks
SET
  run_at = :run_at,
  stage = CASE WHEN :stage = 1 AND group_name IS NOT NULL THEN 3 ELSE :stage END
WHERE id = :id
