-- How many tasks of a group workers hold.
SELECT count(*)
FROM prinia_tasks INDEXED BY prinia_tasks_group
WHERE queue = :queue
  AND group_name = :group
  AND stage = 2
