-- Keep an attempt in the history of its task.
INSERT INTO prinia_attempts (
  task, number, worker, started_at, finished_at, ran_us, outcome, error_type, message, traceback
)
VALUES (
  :task, :number, :worker, :started_at, :finished_at, :ran_us, :outcome, :error_type, :message, :traceback
)
