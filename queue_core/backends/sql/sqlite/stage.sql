-- Let a task in, or hold it back.
UPDATE prinia_tasks
SET stage = :stage
WHERE seq = :seq
