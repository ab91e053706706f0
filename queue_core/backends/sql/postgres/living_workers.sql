-- Each queue of each living worker. PostgreSQL's own: a list is JSON text; what is none, because somebody wrote it by hand, counts as empty.
SELECT served.queue, worker.name, worker.concurrency
FROM prinia_workers AS worker
CROSS JOIN LATERAL json_array_elements_text(
  CAST(CASE WHEN worker.queues ~ '^\[("([^"\\\x01-\x1f]|\\["\\])*"(, ?"([^"\\\x01-\x1f]|\\["\\])*")*)?\]$' THEN worker.queues ELSE '[]' END AS json)
) AS served (queue)
WHERE worker.stopped_at IS NULL
  AND worker.last_heartbeat + worker.lease_us >= :now
ORDER BY worker.name
