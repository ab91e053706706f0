-- Which of the given tasks have reached a final state. PostgreSQL's own: a list is an array.
SELECT id
FROM prinia_tasks
WHERE id = ANY(:ids)
  AND stage IS NULL
