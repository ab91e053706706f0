-- Count tasks that workers took with others of a moment ago.
UPDATE prinia_starts
SET
  n = n + :n,
  at = :now
WHERE place = (
  SELECT place
  FROM prinia_starts INDEXED BY prinia_starts_of
  WHERE queue = :queue
    AND group_name = :group
    AND at BETWEEN :since AND :now
  ORDER BY at DESC
  LIMIT 1
)
