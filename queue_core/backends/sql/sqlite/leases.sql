-- Everything that a process life of a worker holds.
SELECT id, boot, lease
FROM prinia_tasks INDEXED BY prinia_tasks_leased
WHERE stage = 2
  AND boot = :boot
ORDER BY seq
