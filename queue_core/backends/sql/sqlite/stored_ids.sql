-- Which of the ids are stored, and in which queue.
SELECT task.id, task.queue
FROM json_each(:ids) AS asked
CROSS JOIN prinia_tasks AS task ON task.id = asked.value
