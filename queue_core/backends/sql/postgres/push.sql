-- Store new tasks; see prinia_push.
SELECT pushed_at, seqs, twins, named
FROM prinia_push(
  :now, :announce, :ids, :queues, :names, :priorities, :run_ats, :delays, :max_attempts,
  :timeouts, :retries, :keys, :expires_ats, :parents, :codecs, :tags, :metadata, :args
)
