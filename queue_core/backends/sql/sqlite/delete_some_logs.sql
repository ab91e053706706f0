-- Remove some of what these tasks logged.
DELETE FROM prinia_logs
WHERE place IN (
  SELECT line.place
  FROM json_each(:ids) AS doomed
  CROSS JOIN prinia_logs AS line INDEXED BY prinia_logs_task ON line.task = doomed.value
  LIMIT :limit
)
