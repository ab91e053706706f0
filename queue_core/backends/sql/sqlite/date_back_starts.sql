-- Let starts that seem to be yet to come be of now: they were before the clock stepped back.
UPDATE prinia_starts
SET at = :now
WHERE queue = :queue
  AND group_name = :group
  AND at > :now
