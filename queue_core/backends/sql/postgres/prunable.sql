-- Those of the chosen tasks that are still as they were when they were chosen; what another transaction changes just now is left to it.
SELECT id, seq, queue, status
FROM prinia_tasks
WHERE id = ANY(:ids)
  AND status = :status
  AND done_at <= :before
FOR UPDATE SKIP LOCKED
