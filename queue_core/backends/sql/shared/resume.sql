-- End the pause of a queue.
UPDATE prinia_queues
SET
  paused_by = NULL,
  paused_at = NULL,
  pause_reason = NULL
WHERE name = :queue
  AND paused_at IS NOT NULL
