-- Ask the worker that runs a task to stop it.
UPDATE prinia_tasks
SET kill_requested_at = coalesce(kill_requested_at, :now)
WHERE id = :id
