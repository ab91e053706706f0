-- Those of the chosen tasks that are still as they were when they were chosen.
SELECT seq, queue, status
FROM prinia_tasks
WHERE seq IN (SELECT value FROM json_each(:seqs))
  AND status = :status
  AND done_at <= :before
