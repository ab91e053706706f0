-- Let some of what is held back of a group in among the due ones, in claim order.
UPDATE prinia_tasks
SET stage = 1
WHERE seq IN (
  SELECT seq
  FROM prinia_tasks INDEXED BY prinia_tasks_held
  WHERE stage = 3
    AND queue = :queue
    AND group_name = :group
  ORDER BY priority DESC, run_at, seq
  LIMIT :limit
)
