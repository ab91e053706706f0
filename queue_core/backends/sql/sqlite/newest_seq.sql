-- Where the order of pushing has got to; safe to count on from there, because SQLite serialises writers.
SELECT coalesce(max(seq), 0)
FROM prinia_tasks
