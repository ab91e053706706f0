-- Let no claim be under way in the queue until the transaction ends, if its limits are to become others; see prinia_claim.
SELECT pg_advisory_xact_lock(hashtext('{schema}.pause'), hashtext(name))
FROM prinia_queues
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
