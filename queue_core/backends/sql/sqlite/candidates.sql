-- The next due tasks of one queue, in claim order, from the claim index alone.
SELECT seq, priority, run_at, status
FROM prinia_tasks INDEXED BY prinia_tasks_claim
WHERE stage = 1
  AND queue = :queue
  AND run_at <= :now
  AND (expires_at IS NULL OR expires_at > :now)
  AND (:names IS NULL OR name IN (SELECT value FROM json_each(:names)))
ORDER BY priority DESC, run_at, seq
LIMIT :limit
