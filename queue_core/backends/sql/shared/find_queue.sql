-- Whether the queue is known.
SELECT name
FROM prinia_queues
WHERE name = :queue
