-- What is Queued in a queue, as far as giving it back needs.
SELECT
  id, seq, queue, status, boot, lease, attempts, run_at, started_at, kill_requested_at, worker, group_name
FROM prinia_tasks INDEXED BY prinia_tasks_list
WHERE queue = :queue
  AND status = 'Queued'
ORDER BY seq
