-- Each queue of each living worker. SQLite's own: a list is a JSON array.
SELECT served.value, worker.name, worker.concurrency
FROM prinia_workers AS worker INDEXED BY prinia_workers_live
CROSS JOIN json_each(worker.queues) AS served
WHERE worker.stopped_at IS NULL
  AND worker.last_heartbeat + worker.lease_us >= :now
ORDER BY worker.name
