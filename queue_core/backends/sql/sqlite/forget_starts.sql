-- Forget what a rate no longer looks at.
DELETE FROM prinia_starts
WHERE queue = :queue
  AND group_name = :group
  AND at <= :until
