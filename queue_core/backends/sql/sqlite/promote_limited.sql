-- Move some scheduled tasks of a limited queue whose time has come among the due ones, those of a group among those held back.
UPDATE prinia_tasks
SET stage = CASE WHEN group_name IS NULL THEN 1 ELSE 3 END
WHERE seq IN (
  SELECT seq
  FROM prinia_tasks INDEXED BY prinia_tasks_scheduled
  WHERE stage = 0
    AND queue = :queue
    AND status IN ('Pending', 'Failed')
    AND run_at <= :now
  LIMIT :limit
)
RETURNING group_name
