-- Remember when a task of the queue was last claimed.
UPDATE prinia_queues
SET last_claim = :now
WHERE name = :queue
