-- Whether a task with this id is stored.
SELECT seq
FROM prinia_tasks
WHERE id = :id
