-- Store the limits of a queue, if they are other than those before. A queue that has or had groups stays one whose claims look at limits. SQLite's own: IS NOT.
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
    concurrency IS NOT :concurrency
    OR rate_n IS NOT :rate_n
    OR rate_us IS NOT :rate_us
    OR group_concurrency IS NOT :group_concurrency
    OR group_rate_n IS NOT :group_rate_n
    OR group_rate_us IS NOT :group_rate_us
    OR ordered <> :ordered
  )
