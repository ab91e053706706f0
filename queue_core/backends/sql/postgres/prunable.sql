-- Those of the chosen tasks that are still as they were when they were chosen; what another transaction changes just now is left to it.
-- Found by id alone (OFFSET 0 keeps it so), because the server may think little of the number of finished tasks.
SELECT chosen.id, chosen.seq, chosen.queue, chosen.status
FROM (
  SELECT id, seq, queue, status, done_at
  FROM prinia_tasks
  WHERE id = ANY(:ids)
  OFFSET 0
  FOR UPDATE SKIP LOCKED
) AS chosen
WHERE chosen.status = :status
  AND chosen.done_at <= :before
