-- When the newest task of some queues was pushed, since when their longest running one runs, and the size of the file.
SELECT
  (
    SELECT newest.created_at
    FROM prinia_tasks AS newest
    WHERE newest.seq = (
      SELECT max((
        SELECT max(task.seq)
        FROM prinia_tasks AS task INDEXED BY prinia_tasks_list
        WHERE task.queue = queue.value
          AND task.status = state.value
      ))
      FROM json_each(:queues) AS queue
      CROSS JOIN json_each(:statuses) AS state
    )
  ) AS newest,
  (
    SELECT min(task.started_at)
    FROM json_each(:queues) AS queue
    CROSS JOIN prinia_tasks AS task INDEXED BY prinia_tasks_list ON task.queue = queue.value AND task.status = 'Running'
  ) AS running_since,
  (
    SELECT count(*)
    FROM json_each(:queues) AS queue
    CROSS JOIN prinia_tasks AS task INDEXED BY prinia_tasks_list ON task.queue = queue.value AND task.status = 'Running'
    WHERE task.started_at < :stale
  ) AS stale_running,
  (SELECT page_size FROM pragma_page_size) AS page_size,
  (SELECT page_count FROM pragma_page_count) AS page_count
