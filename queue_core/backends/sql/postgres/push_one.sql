-- Store one new task; see prinia_push_one.
SELECT pushed_at, place, twin, named
FROM prinia_push_one(
  :now, :id, :queue, :name, :priority, :run_at, :delay, :max_attempts,
  :timeout, :retry, :key, :expires_at, :parent, :codec, :tags, :metadata, :args
)
