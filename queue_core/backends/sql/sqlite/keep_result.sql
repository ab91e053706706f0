-- Store what a task returned, where that did not travel with the others.
UPDATE prinia_tasks
SET result = :result
WHERE id = :id
