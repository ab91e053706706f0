-- Remove a task.
DELETE FROM prinia_tasks
WHERE id = :id
