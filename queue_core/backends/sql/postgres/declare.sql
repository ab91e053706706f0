-- Store the limits of a queue, if they are other than those before. A queue that has or had groups stays one whose claims look at limits. PostgreSQL's own: IS DISTINCT FROM.
UPDATE prinia_queues
SET
  limited = 1,
  concurrency = :concurrency,
  rate_n = :rate_n,
  rate_us = :rate_us,
  group_concurrency = :group_concurrency,
  group_rate_n = :group_rate_n,
  group_rate_us = :group_rate_us,
  ordered = :ordered
WHERE name = :queue
  AND (
    concurrency IS DISTINCT FROM CAST(:concurrency AS integer)
    OR rate_n IS DISTINCT FROM CAST(:rate_n AS integer)
    OR rate_us IS DISTINCT FROM CAST(:rate_us AS bigint)
    OR group_concurrency IS DISTINCT FROM CAST(:group_concurrency AS integer)
    OR group_rate_n IS DISTINCT FROM CAST(:group_rate_n AS integer)
    OR group_rate_us IS DISTINCT FROM CAST(:group_rate_us AS bigint)
    OR ordered <> :ordered
  )
