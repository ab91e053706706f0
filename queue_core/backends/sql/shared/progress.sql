-- Record how far a running attempt is, if its lease holds.
UPDATE prinia_tasks
SET
  progress = :fraction,
  progress_note = :note
WHERE id = :id
  AND boot = :boot
  AND lease = :token
  AND status = 'Running'
RETURNING queue
