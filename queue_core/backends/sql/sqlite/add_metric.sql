-- Count what happened in one minute, hour or day.
INSERT INTO prinia_rollups (span, queue, start, metric, n)
VALUES (:span, :queue, :start, :metric, :n)
ON CONFLICT (span, queue, start, metric) DO UPDATE SET
  n = prinia_rollups.n + excluded.n
