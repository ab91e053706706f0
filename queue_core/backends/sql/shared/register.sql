-- Record a process life of a worker as running.
INSERT INTO prinia_workers (
  boot, name, queues, names, host, pid, process, version, middleware, concurrency, lease_us, state, started_at, last_heartbeat
)
VALUES (
  :boot, :name, :queues, :names, :host, :pid, :process, :version, :middleware, :concurrency, :lease_us, 'running', :now, :now
)
ON CONFLICT (boot) DO UPDATE SET
  name = excluded.name,
  queues = excluded.queues,
  names = excluded.names,
  concurrency = excluded.concurrency,
  lease_us = excluded.lease_us,
  state = excluded.state,
  last_heartbeat = excluded.last_heartbeat,
  stopped_at = NULL
