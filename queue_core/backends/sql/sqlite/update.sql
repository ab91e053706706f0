-- Change a waiting task. SQLite's own: the larger of two values.
UPDATE prinia_tasks
SET
  args = coalesce(:args, args),
  codec = coalesce(:codec, codec),
  run_at = coalesce(:run_at, run_at),
  stage = CASE WHEN :stage = 1 AND group_name IS NOT NULL THEN 3 ELSE coalesce(:stage, stage) END,
  priority = coalesce(:priority, priority),
  max_attempts = CASE WHEN :max_attempts IS NULL THEN max_attempts ELSE max(:max_attempts, attempts + 1) END,
  timeout = CASE WHEN :sets_timeout THEN :timeout ELSE timeout END,
  expires_at = CASE WHEN :sets_expires_at THEN :expires_at ELSE expires_at END,
  retry = CASE WHEN :sets_retry THEN :retry ELSE retry END,
  tags = CASE WHEN :sets_tags THEN :tags ELSE tags END,
  metadata = CASE WHEN :sets_metadata THEN :metadata ELSE metadata END
WHERE id = :id
