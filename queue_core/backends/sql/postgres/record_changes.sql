-- Append what a transaction changes in the numbers, and which topics it touched. PostgreSQL's own: nobody may wait for a counter.
INSERT INTO prinia_changes (at, n, queue, what)
SELECT CAST(:now AS bigint), change.n, change.queue, change.what
FROM unnest(CAST(:queues AS text[]), CAST(:whats AS text[]), CAST(:ns AS bigint[])) AS change (queue, what, n)
