-- Forget all but the latest lines of a task.
DELETE FROM prinia_logs
WHERE task = :task
  AND place <= (
    SELECT place
    FROM prinia_logs
    WHERE task = :task
    ORDER BY place DESC
    LIMIT 1
    OFFSET :keep
  )
