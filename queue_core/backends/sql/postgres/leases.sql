-- Everything that a process life of a worker holds.
SELECT id, boot, lease
FROM prinia_tasks
WHERE stage = 2
  AND boot = :boot
ORDER BY seq
