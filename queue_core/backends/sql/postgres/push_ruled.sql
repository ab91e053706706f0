-- Store new tasks whose keys have rules, or that are of groups; see prinia_push_ruled.
SELECT pushed_at, seqs, twins, named
FROM prinia_push_ruled(
  :now, :announce, :ids, :queues, :names, :priorities, :run_ats, :delays, :max_attempts,
  :timeouts, :retries, :keys, :expires_ats, :parents, :codecs, :tags, :metadata, :args,
  :periods, :debounces, :debounce_mosts, :groups
)
