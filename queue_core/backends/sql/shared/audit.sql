-- The latest actions.
SELECT id, at, actor, action, queue, task_ids, count, reason, schedule
FROM prinia_audit
ORDER BY id DESC
LIMIT :limit
