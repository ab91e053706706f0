-- Store the success of the running attempt of a task; its lease was checked in this transaction. SQLite's own: found by place.
UPDATE prinia_tasks
SET
  status = 'Done',
  reason = NULL,
  stage = NULL,
  done_at = :done_at,
  ran_us = :ran_us,
  result = :result,
  error = NULL,
  checkpoint = NULL,
  lease = lease + 1
WHERE seq = :seq
