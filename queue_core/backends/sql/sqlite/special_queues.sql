-- Which of the queues are paused or limited, and their limits.
SELECT name, paused_at, concurrency, rate_n, rate_us, group_concurrency, group_rate_n, group_rate_us, ordered
FROM prinia_queues
WHERE (paused_at IS NOT NULL OR limited)
  AND name IN (SELECT value FROM json_each(:queues))
