-- Remove what the attempts of a task logged.
DELETE FROM prinia_logs
WHERE task = :id
