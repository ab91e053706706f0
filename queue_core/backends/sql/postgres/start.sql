-- Queued → Running. PostgreSQL's own: a list is an array.
UPDATE prinia_tasks
SET
  status = 'Running',
  started_at = :now,
  attempts = attempts + 1
WHERE id = ANY(:ids)
