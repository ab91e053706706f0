-- Claims of this queue look at limits from now on.
UPDATE prinia_queues
SET limited = 1
WHERE name = :queue
  AND limited = 0
