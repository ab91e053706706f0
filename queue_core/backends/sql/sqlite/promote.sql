-- Move some scheduled tasks of a queue whose time has come among the due ones.
UPDATE prinia_tasks
SET stage = 1
WHERE seq IN (
  SELECT seq
  FROM prinia_tasks INDEXED BY prinia_tasks_scheduled
  WHERE stage = 0
    AND queue = :queue
    AND status IN ('Pending', 'Failed')
    AND run_at <= :now
  LIMIT :limit
)
