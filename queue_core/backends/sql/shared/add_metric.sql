-- Count what happened in one minute, hour or day.
INSERT INTO prinia_rollups (span, start, queue, metric, n)
VALUES (:span, :start, :queue, :metric, :n)
ON CONFLICT (span, start, queue, metric) DO UPDATE SET
  n = prinia_rollups.n + excluded.n
