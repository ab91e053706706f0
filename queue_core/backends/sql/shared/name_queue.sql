-- Make sure that the queue is known, also while it is empty.
INSERT INTO prinia_queues (name, created_at)
VALUES (:queue, :now)
ON CONFLICT (name) DO NOTHING
