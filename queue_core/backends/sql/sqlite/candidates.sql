-- The next due tasks of one queue, in claim order, from the claim index alone. What a row begins with is its place in that order, among other queues too.
SELECT - priority AS rank, run_at, seq, queue, status
FROM prinia_tasks INDEXED BY prinia_tasks_claim
WHERE stage = 1
  AND queue = :queue
  AND run_at <= :now
  AND (expires_at IS NULL OR expires_at > :now)
  AND (:names IS NULL OR name IN (SELECT value FROM json_each(:names)))
ORDER BY priority DESC, run_at, seq
LIMIT :limit
