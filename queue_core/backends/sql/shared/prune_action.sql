-- Forget an entry of the audit.
DELETE FROM prinia_audit
WHERE id = :id
