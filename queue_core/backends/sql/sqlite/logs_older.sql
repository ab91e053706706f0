-- Log lines before a place, nearest first: of a task, of a queue, or of all. SQLite's own: a walk for each kind of question, of which one is made.
-- At most :window are looked at. Those that fit come, and in any case the first and the last that were looked at, from where to look on.
SELECT *
FROM (
  SELECT
    line.place, line.task, line.queue, line.attempt, line.number, line.at, line.level, line.logger, line.message, near.n,
    CASE
      WHEN line.level < :level OR line.attempt <> :attempt OR line.queue <> :queue THEN false
      WHEN :text IS NULL THEN true
      ELSE prinia_contains(:text, line.message, line.logger)
    END AS fits
  FROM (
    SELECT place, row_number() OVER (ORDER BY place DESC) AS n
    FROM (
      SELECT *
      FROM (
        SELECT own.place
        FROM prinia_logs AS own INDEXED BY prinia_logs_task
        WHERE own.task = :task
          AND own.place < :place
        ORDER BY own.place DESC
        LIMIT :window
      )
      UNION ALL
      SELECT *
      FROM (
        SELECT own.place
        FROM prinia_logs AS own INDEXED BY prinia_logs_queue
        WHERE :task IS NULL
          AND own.queue = :queue
          AND own.place < :place
        ORDER BY own.place DESC
        LIMIT :window
      )
      UNION ALL
      SELECT *
      FROM (
        SELECT own.place
        FROM prinia_logs AS own
        WHERE :task IS NULL
          AND :queue IS NULL
          AND own.place < :place
        ORDER BY own.place DESC
        LIMIT :window
      )
    )
  ) AS near
  CROSS JOIN prinia_logs AS line ON line.place = near.place
)
WHERE fits
  OR n IN (1, :window)
ORDER BY place DESC
LIMIT :limit
