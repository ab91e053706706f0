-- Keep a line that a running attempt logged.
INSERT INTO prinia_logs (task, queue, lease, number, attempt, at, stored_at, level, logger, message)
VALUES (:task, :queue, :lease, :number, :attempt, :at, :stored_at, :level, :logger, :message)
