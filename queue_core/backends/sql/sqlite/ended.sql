-- Which of the given tasks have reached a final state.
SELECT task.id
FROM json_each(:ids) AS asked
CROSS JOIN prinia_tasks AS task ON task.id = asked.value
WHERE task.stage IS NULL
