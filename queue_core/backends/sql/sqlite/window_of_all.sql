-- The oldest place that a search of all tasks looks at.
SELECT seq
FROM prinia_tasks NOT INDEXED
ORDER BY seq DESC
LIMIT 1
OFFSET :window
