-- A task of the group that is held back.
SELECT 1
FROM prinia_tasks INDEXED BY prinia_tasks_held
WHERE stage = 3
  AND queue = :queue
  AND group_name = :group
LIMIT 1
