-- Which of the queues are paused.
SELECT name
FROM prinia_queues
WHERE paused_at IS NOT NULL
  AND name IN (SELECT value FROM json_each(:queues))
