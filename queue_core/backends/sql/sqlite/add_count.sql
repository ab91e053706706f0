-- Change how many tasks of a queue are in a state.
INSERT INTO prinia_counters (queue, status, n)
VALUES (:queue, :status, :n)
ON CONFLICT (queue, status) DO UPDATE SET
  n = prinia_counters.n + excluded.n
