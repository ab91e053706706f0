-- Enter an action into the audit.
INSERT INTO prinia_audit (at, actor, action, queue, task_ids, count, reason, schedule)
VALUES (:now, :actor, :action, :queue, :task_ids, :count, :reason, :schedule)
RETURNING id
