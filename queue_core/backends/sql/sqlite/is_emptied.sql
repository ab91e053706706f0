-- Whether nothing of a group is let in, and something is held back.
SELECT 1
WHERE NOT EXISTS (
    SELECT 1
    FROM prinia_tasks INDEXED BY prinia_tasks_group
    WHERE queue = :queue
      AND group_name = :group
      AND stage = 1
  )
  AND EXISTS (
    SELECT 1
    FROM prinia_tasks INDEXED BY prinia_tasks_group
    WHERE queue = :queue
      AND group_name = :group
      AND stage = 3
  )
