-- Store a task as Pending. SQLite's own: seq is given by the writer, so that a whole batch needs no answer.
INSERT INTO prinia_tasks (
  seq, id, queue, name, stage, priority, created_at, run_at, max_attempts,
  timeout, retry, key, group_name, expires_at, parent, codec, tags, metadata, args
)
VALUES (
  :seq, :id, :queue, :name, :stage, :priority, :created_at, :run_at, :max_attempts,
  :timeout, :retry, :key, :group_name, :expires_at, :parent, :codec, :tags, :metadata, :args
)
