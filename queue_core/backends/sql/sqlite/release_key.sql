-- Let another task have the key of this one. SQLite's own: found by place.
UPDATE prinia_tasks
SET key = NULL
WHERE seq = :seq
