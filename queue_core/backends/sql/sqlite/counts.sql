-- How many tasks of each queue are in each state.
SELECT queue.name, counter.status, counter.n
FROM prinia_queues AS queue
LEFT JOIN prinia_counters AS counter ON counter.queue = queue.name
ORDER BY queue.name
