-- Forget by which tasks an entry of the audit was found.
DELETE FROM prinia_audit_tasks
WHERE audit = :id
