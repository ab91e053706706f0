-- Take back what was let in of a group and that nobody has claimed.
UPDATE prinia_tasks
SET stage = 3
WHERE seq IN (
  SELECT seq
  FROM prinia_tasks INDEXED BY prinia_tasks_group
  WHERE queue = :queue
    AND group_name = :group
    AND stage = 1
)
