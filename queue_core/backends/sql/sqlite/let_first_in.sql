-- Let the first live task of an ordered group in among the due ones, if it is one that is held back.
UPDATE prinia_tasks
SET stage = 1
WHERE stage = 3
  AND seq = (
    SELECT min((
      SELECT min(task.seq)
      FROM prinia_tasks AS task INDEXED BY prinia_tasks_group
      WHERE task.queue = :queue
        AND task.group_name = :group
        AND task.stage = place.value
    ))
    FROM json_each('[0, 1, 2, 3]') AS place
  )
