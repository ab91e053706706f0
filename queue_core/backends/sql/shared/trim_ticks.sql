-- Forget all but the newest ticks of a schedule.
DELETE FROM prinia_schedule_ticks
WHERE schedule = :schedule
  AND tick <= (
    SELECT kept.tick
    FROM prinia_schedule_ticks AS kept
    WHERE kept.schedule = :schedule
    ORDER BY kept.tick DESC
    LIMIT 1 OFFSET :keep
  )
