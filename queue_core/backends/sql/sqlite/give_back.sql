-- Let leased tasks wait again, or end where that was asked for; a started attempt does not count. SQLite's own: a list is a JSON array.
UPDATE prinia_tasks
SET
  status = CASE WHEN kill_requested_at IS NULL THEN 'Pending' ELSE 'Killed' END,
  reason = CASE WHEN kill_requested_at IS NULL THEN NULL ELSE 'killed' END,
  stage = CASE WHEN kill_requested_at IS NOT NULL THEN NULL WHEN group_name IS NULL THEN 1 ELSE 3 END,
  done_at = CASE WHEN kill_requested_at IS NULL THEN NULL ELSE :now END,
  attempts = attempts - (status = 'Running'),
  lease = lease + 1
WHERE id IN (SELECT value FROM json_each(:ids))
