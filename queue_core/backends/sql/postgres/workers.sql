-- Workers: the living by name, then those that ended, latest first. PostgreSQL's own: a list is JSON text; what is none counts as empty.
SELECT
  boot, name, queues, names, host, pid, version, middleware, concurrency, lease_us, state,
  started_at, last_heartbeat, stopped_at, running, rss, cpu
FROM prinia_workers
WHERE (
  CAST(:queue AS text) IS NULL
  OR :queue IN (
    SELECT served.queue
    FROM json_array_elements_text(
      CAST(CASE WHEN queues ~ '^\[("([^"\\\x01-\x1f]|\\["\\])*"(, ?"([^"\\\x01-\x1f]|\\["\\])*")*)?\]$' THEN queues ELSE '[]' END AS json)
    ) AS served (queue)
  )
)
ORDER BY
  (stopped_at IS NULL AND last_heartbeat + lease_us >= :now) DESC,
  CASE WHEN stopped_at IS NULL AND last_heartbeat + lease_us >= :now THEN name END,
  coalesce(stopped_at, last_heartbeat) DESC,
  boot
LIMIT :limit
