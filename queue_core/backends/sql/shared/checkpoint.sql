-- Keep what a running attempt gives for the next one, if its lease holds.
UPDATE prinia_tasks
SET checkpoint = :data
WHERE id = :id
  AND boot = :boot
  AND lease = :token
  AND status = 'Running'
RETURNING queue
