-- Which of the ids are stored. PostgreSQL's own: a list is an array.
SELECT id
FROM prinia_tasks
WHERE id = ANY(:ids)
