-- Store how the running attempt of a task ended, other than well; its lease was checked in this transaction. SQLite's own: found by place.
UPDATE prinia_tasks
SET
  status = :status,
  reason = :reason,
  stage = :stage,
  run_at = coalesce(:run_at, run_at),
  done_at = :done_at,
  ran_us = :ran_us,
  attempts = :attempts,
  result = NULL,
  error = coalesce(:error, error),
  kill_requested_at = CASE WHEN :stage IS NULL THEN kill_requested_at END,
  lease = lease + 1
WHERE seq = :seq
