-- Log lines before a place, nearest first: of a task, or of one queue or all, merged.
-- At most :window are looked at. Those that fit come, and in any case the first and the last that were looked at, from where to look on.
-- There is no index by place alone, through which a rare queue would be slow.
SELECT sifted.*
FROM (
  SELECT
    line.place, line.task, line.queue, line.attempt, line.number, line.at, line.level, line.logger, line.message, line.n,
    line.level >= :level
    AND (CAST(:attempt AS integer) IS NULL OR line.attempt = :attempt)
    AND (CAST(:queue AS text) IS NULL OR line.queue = :queue)
    AND (CAST(:text AS text[]) IS NULL OR prinia_contains(:text, line.message, line.logger)) AS fits
  FROM (
    SELECT near.*, row_number() OVER (ORDER BY near.place DESC) AS n
    FROM (
      (
        SELECT own.*
        FROM prinia_logs AS own
        WHERE own.task = CAST(:task AS text)
          AND own.place < :place
        ORDER BY own.place DESC
        LIMIT :window
      )
      UNION ALL
      (
        SELECT own.*
        FROM prinia_queues AS known
        CROSS JOIN LATERAL (
          SELECT each.*
          FROM prinia_logs AS each
          WHERE each.queue = known.name
            AND each.place < :place
          ORDER BY each.place DESC
          LIMIT :window
        ) AS own
        WHERE CAST(:task AS text) IS NULL
          AND (CAST(:queue AS text) IS NULL OR known.name = :queue)
        ORDER BY own.place DESC
        LIMIT :window
      )
    ) AS near
  ) AS line
) AS sifted
WHERE sifted.fits
  OR sifted.n IN (1, :window)
ORDER BY sifted.place DESC
LIMIT :limit
