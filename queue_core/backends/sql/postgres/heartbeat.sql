-- Renew the leases of a process life, unless it was declared lost, and say so: few enough to be told in the transaction itself.
WITH beat AS (
  UPDATE prinia_workers
  SET
    state = :state,
    running = :running,
    rss = :rss,
    cpu = :cpu,
    last_heartbeat = prinia_now(:now)
  WHERE boot = :boot
    AND stopped_at IS NULL
  RETURNING last_heartbeat
),
told AS (
  INSERT INTO prinia_changes (at, n, what)
  SELECT last_heartbeat, 1, 'workers'
  FROM beat
)
SELECT pg_notify(CAST(:channel AS text), CAST(:message AS text))
FROM beat
