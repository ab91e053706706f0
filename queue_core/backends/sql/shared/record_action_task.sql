-- Let an action be found by one of its tasks.
INSERT INTO prinia_audit_tasks (task_id, audit)
VALUES (:task, :audit)
