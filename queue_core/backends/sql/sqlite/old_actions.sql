-- Some old entries of the audit.
SELECT id
FROM prinia_audit INDEXED BY prinia_audit_at
WHERE at <= :before
LIMIT :limit
