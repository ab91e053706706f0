-- The latest actions on one task.
SELECT entry.id, entry.at, entry.actor, entry.action, entry.queue, entry.task_ids, entry.count, entry.reason, entry.schedule
FROM prinia_audit_tasks AS link
JOIN prinia_audit AS entry ON entry.id = link.audit
WHERE link.task_id = :task
ORDER BY link.audit DESC
LIMIT :limit
