-- Queued → Pending, or Killed where that was asked for. SQLite's own: a list is a JSON array.
UPDATE prinia_tasks
SET
  status = CASE WHEN kill_requested_at IS NULL THEN 'Pending' ELSE 'Killed' END,
  reason = CASE WHEN kill_requested_at IS NULL THEN NULL ELSE 'killed' END,
  stage = CASE WHEN kill_requested_at IS NULL THEN 1 END,
  done_at = CASE WHEN kill_requested_at IS NULL THEN NULL ELSE :now END,
  lease = lease + 1
WHERE seq IN (SELECT value FROM json_each(:seqs))
