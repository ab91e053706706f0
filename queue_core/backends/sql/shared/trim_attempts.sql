-- Forget all but the latest attempts of a task.
DELETE FROM prinia_attempts
WHERE task = :task
  AND place <= (
    SELECT place
    FROM prinia_attempts
    WHERE task = :task
    ORDER BY place DESC
    LIMIT 1
    OFFSET :keep
  )
