-- How many tasks of a group, or of a queue, workers took in the time that a rate looks back, and when the first.
SELECT coalesce(sum(n), 0), min(at)
FROM prinia_starts INDEXED BY prinia_starts_of
WHERE queue = :queue
  AND group_name = :group
