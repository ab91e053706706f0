-- What was let in of a group and that nobody has claimed, by its place in claim order.
SELECT - priority, run_at, seq
FROM prinia_tasks INDEXED BY prinia_tasks_group
WHERE queue = :queue
  AND group_name = :group
  AND stage = 1
