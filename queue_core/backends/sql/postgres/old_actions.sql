-- Some old entries of the audit; what another transaction removes already is left to it.
SELECT id
FROM prinia_audit
WHERE at <= :before
LIMIT :limit
FOR UPDATE SKIP LOCKED
