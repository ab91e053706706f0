-- When a task was last claimed: as far as it is added up, and since.
SELECT greatest(
  (SELECT max(queue.last_claim) FROM prinia_queues AS queue),
  (
    SELECT max(changed.at)
    FROM prinia_changes AS changed
    WHERE changed.xid >= (SELECT below FROM prinia_folded)
      AND changed.what = 'claimed'
  )
)
