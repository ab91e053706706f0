-- When the newest task of some queues was pushed, since when their longest running one runs, and the size of Prinia's tables with their indexes.
SELECT
  (
    SELECT newest.created_at
    FROM unnest(CAST(:queues AS text[])) AS queue (name)
    CROSS JOIN unnest(CAST(:statuses AS text[])) AS state (name)
    CROSS JOIN LATERAL (
      SELECT task.seq, task.created_at
      FROM prinia_tasks AS task
      WHERE task.queue = queue.name
        AND task.status = state.name
      ORDER BY task.seq DESC
      LIMIT 1
    ) AS newest
    ORDER BY newest.seq DESC
    LIMIT 1
  ) AS newest,
  (
    SELECT min(task.started_at)
    FROM prinia_tasks AS task
    WHERE task.queue = ANY(:queues)
      AND task.status = 'Running'
  ) AS running_since,
  (
    SELECT count(*)
    FROM prinia_tasks AS task
    WHERE task.queue = ANY(:queues)
      AND task.status = 'Running'
      AND task.started_at < :stale
  ) AS stale_running,
  CAST(current_setting('block_size') AS integer) AS page_size,
  (
    SELECT CAST(sum(pg_total_relation_size(own.oid)) / CAST(current_setting('block_size') AS integer) AS bigint)
    FROM pg_class AS own
    WHERE own.relkind = 'r'
      AND own.relnamespace = (
        SELECT neighbour.relnamespace
        FROM pg_class AS neighbour
        WHERE neighbour.oid = (SELECT tableoid FROM prinia_folded LIMIT 1)
      )
  ) AS page_count
