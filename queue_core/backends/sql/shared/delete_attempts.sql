-- Remove the history of a task.
DELETE FROM prinia_attempts
WHERE task = :seq
