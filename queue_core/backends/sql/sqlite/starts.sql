-- When workers took how many tasks of a group, or of a queue, the latest first.
SELECT at, n
FROM prinia_starts INDEXED BY prinia_starts_of
WHERE queue = :queue
  AND group_name = :group
ORDER BY at DESC
