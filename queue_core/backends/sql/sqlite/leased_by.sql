-- What a process life of a worker holds, as far as taking it back needs.
SELECT
  id, seq, queue, status, boot, lease, attempts, run_at, started_at, kill_requested_at, worker, group_name, crashes, max_attempts
FROM prinia_tasks INDEXED BY prinia_tasks_leased
WHERE stage = 2
  AND boot = :boot
ORDER BY seq
