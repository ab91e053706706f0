-- Some of what is held back of a group, in claim order.
SELECT - priority, run_at, seq
FROM prinia_tasks INDEXED BY prinia_tasks_held
WHERE stage = 3
  AND queue = :queue
  AND group_name = :group
ORDER BY priority DESC, run_at, seq
LIMIT :limit
