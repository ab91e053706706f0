-- Those of the chosen tasks that are still as they were when they were chosen.
SELECT id, seq, queue, status
FROM prinia_tasks
WHERE id IN (SELECT value FROM json_each(:ids))
  AND status = :status
  AND done_at <= :before
