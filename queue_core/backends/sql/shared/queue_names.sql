-- Every queue, by name.
SELECT name
FROM prinia_queues
ORDER BY name
