-- The kept history of a task, oldest first.
SELECT number, worker, started_at, finished_at, ran_us, outcome, error_type, message, traceback
FROM prinia_attempts
WHERE task = :task
ORDER BY place
