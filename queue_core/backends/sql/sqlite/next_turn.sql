-- When the next group of a queue is to be looked at.
SELECT min(due_at)
FROM prinia_turns INDEXED BY prinia_turns_due
WHERE queue = :queue
