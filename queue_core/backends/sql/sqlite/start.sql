-- Queued → Running.
UPDATE prinia_tasks
SET
  status = 'Running',
  started_at = :now,
  attempts = attempts + 1
WHERE id IN (SELECT value FROM json_each(:ids))
