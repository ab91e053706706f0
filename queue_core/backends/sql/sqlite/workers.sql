-- Workers: the living by name, then those that ended, latest first. SQLite's own: a list is a JSON array.
SELECT
  boot, name, queues, names, host, pid, version, middleware, concurrency, lease_us, state,
  started_at, last_heartbeat, stopped_at, running, rss, cpu
FROM prinia_workers
WHERE (:queue IS NULL OR :queue IN (SELECT value FROM json_each(queues)))
ORDER BY
  (stopped_at IS NULL AND last_heartbeat + lease_us >= :now) DESC,
  CASE WHEN stopped_at IS NULL AND last_heartbeat + lease_us >= :now THEN name END,
  coalesce(stopped_at, last_heartbeat) DESC,
  boot
LIMIT :limit
