-- Change a waiting task. PostgreSQL's own: the greatest of two values, and types that it cannot guess.
UPDATE prinia_tasks
SET
  args = coalesce(:args, args),
  codec = coalesce(:codec, codec),
  run_at = coalesce(:run_at, run_at),
  stage = CASE WHEN CAST(:stage AS integer) = 1 AND group_name IS NOT NULL THEN 3 ELSE coalesce(:stage, stage) END,
  priority = coalesce(:priority, priority),
  max_attempts = CASE WHEN CAST(:max_attempts AS integer) IS NULL THEN max_attempts ELSE greatest(:max_attempts, attempts + 1) END,
  timeout = CASE WHEN CAST(:sets_timeout AS boolean) THEN :timeout ELSE timeout END,
  expires_at = CASE WHEN CAST(:sets_expires_at AS boolean) THEN :expires_at ELSE expires_at END,
  retry = CASE WHEN CAST(:sets_retry AS boolean) THEN :retry ELSE retry END,
  tags = CASE WHEN CAST(:sets_tags AS boolean) THEN :tags ELSE tags END,
  metadata = CASE WHEN CAST(:sets_metadata AS boolean) THEN :metadata ELSE metadata END
WHERE id = :id
