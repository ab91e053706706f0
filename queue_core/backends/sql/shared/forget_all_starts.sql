-- Forget the starts of a queue, or of its groups, that no rate looks back to any more.
DELETE FROM prinia_starts
WHERE queue = :queue
  AND CASE WHEN group_name = '' THEN CAST(:rate_n AS bigint) ELSE CAST(:group_rate_n AS bigint) END IS NULL
