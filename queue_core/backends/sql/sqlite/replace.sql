-- Put what a debounced push brings into the task that waits with its key. SQLite's own: found by place.
UPDATE prinia_tasks
SET
  name = :name,
  args = :args,
  codec = :codec,
  run_at = :run_at,
  stage = CASE WHEN :stage = 1 AND group_name IS NOT NULL THEN 3 ELSE :stage END
WHERE seq = :seq
