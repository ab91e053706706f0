-- Take back what was let in of the groups of a queue and that nobody has claimed.
UPDATE prinia_tasks
SET stage = 3
WHERE queue = :queue
  AND group_name IS NOT NULL
  AND stage = 1
