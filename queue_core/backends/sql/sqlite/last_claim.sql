-- When a task was last claimed.
SELECT max(last_claim)
FROM prinia_queues
