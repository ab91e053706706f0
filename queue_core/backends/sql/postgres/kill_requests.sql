-- The running tasks of a process life whose kill was asked for.
SELECT id, boot, lease
FROM prinia_tasks
WHERE stage = 2
  AND boot = :boot
  AND status = 'Running'
  AND kill_requested_at IS NOT NULL
ORDER BY seq
