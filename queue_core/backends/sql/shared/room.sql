-- What the limits of the queue and the group of a task count just now: starts and when the first will count no more; tasks that are held; the first in order.
-- same of the group; and the task that is first in it, found in each place where its live tasks stand.
SELECT
  (
    SELECT coalesce(sum(start.n), 0)
    FROM prinia_starts AS start
    WHERE start.queue = task.queue
      AND start.group_name = ''
      AND start.at > :now - known.rate_us
  ),
  (
    SELECT min(start.at) + known.rate_us
    FROM prinia_starts AS start
    WHERE start.queue = task.queue
      AND start.group_name = ''
      AND start.at > :now - known.rate_us
  ),
  (
    SELECT count(*)
    FROM prinia_tasks AS held
    WHERE held.queue = task.queue
      AND held.group_name = task.group_name
      AND held.stage >= 2
      AND held.stage <= 2
  ),
  (
    SELECT coalesce(sum(start.n), 0)
    FROM prinia_starts AS start
    WHERE start.queue = task.queue
      AND start.group_name = task.group_name
      AND start.at > :now - known.group_rate_us
  ),
  (
    SELECT min(start.at) + known.group_rate_us
    FROM prinia_starts AS start
    WHERE start.queue = task.queue
      AND start.group_name = task.group_name
      AND start.at > :now - known.group_rate_us
  ),
  (
    SELECT first.id
    FROM (
      SELECT min(live.seq) AS seq
      FROM prinia_tasks AS live
      WHERE live.queue = task.queue
        AND live.group_name = task.group_name
        AND live.stage >= 0
        AND live.stage <= 0
      UNION ALL
      SELECT min(live.seq)
      FROM prinia_tasks AS live
      WHERE live.queue = task.queue
        AND live.group_name = task.group_name
        AND live.stage >= 1
        AND live.stage <= 1
      UNION ALL
      SELECT min(live.seq)
      FROM prinia_tasks AS live
      WHERE live.queue = task.queue
        AND live.group_name = task.group_name
        AND live.stage >= 2
        AND live.stage <= 2
      UNION ALL
      SELECT min(live.seq)
      FROM prinia_tasks AS live
      WHERE live.queue = task.queue
        AND live.group_name = task.group_name
        AND live.stage >= 3
        AND live.stage <= 3
    ) AS place
    JOIN prinia_tasks AS first ON first.seq = place.seq
    ORDER BY place.seq
    LIMIT 1
  )
FROM prinia_tasks AS task
JOIN prinia_queues AS known ON known.name = task.queue
WHERE task.id = :id
