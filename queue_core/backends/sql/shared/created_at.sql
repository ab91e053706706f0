-- When a task was pushed.
SELECT created_at
FROM prinia_tasks
WHERE seq = :seq
