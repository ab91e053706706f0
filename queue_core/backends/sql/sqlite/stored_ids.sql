-- Which of the ids are stored.
SELECT task.id
FROM json_each(:ids) AS asked
CROSS JOIN prinia_tasks AS task ON task.id = asked.value
