-- Let leased tasks wait again, or end where that was asked for; a started attempt does not count. PostgreSQL's own: a list is an array.
UPDATE prinia_tasks
SET
  status = CASE WHEN kill_requested_at IS NULL THEN 'Pending' ELSE 'Killed' END,
  reason = CASE WHEN kill_requested_at IS NULL THEN NULL ELSE 'killed' END,
  stage = CASE WHEN kill_requested_at IS NOT NULL THEN NULL WHEN group_name IS NULL THEN 1 ELSE 3 END,
  done_at = CASE WHEN kill_requested_at IS NULL THEN NULL ELSE CAST(:now AS bigint) END,
  attempts = attempts - CASE WHEN status = 'Running' THEN 1 ELSE 0 END,
  lease = lease + 1
WHERE id = ANY(:ids)
