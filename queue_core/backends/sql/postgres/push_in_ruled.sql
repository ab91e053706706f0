-- Store new tasks whose keys have rules, or that are of groups, in the caller's own transaction; as push_in.sql, see prinia_push_ruled.
-- The call hangs on the identity, so nothing is called elsewhere. Types are said, because drivers guess them from the values, each in its own way.
SELECT pushed.pushed_at, pushed.seqs, pushed.twins
FROM prinia_identity AS own
CROSS JOIN LATERAL prinia_push_ruled(
  CASE own.id WHEN CAST(:identity AS text) THEN CAST(:now AS bigint) END,
  CAST(:announce AS boolean),
  CAST(:ids AS text[]),
  CAST(:queues AS text[]),
  CAST(:names AS text[]),
  CAST(:priorities AS integer[]),
  CAST(:run_ats AS bigint[]),
  CAST(:delays AS bigint[]),
  CAST(:max_attempts AS integer[]),
  CAST(:timeouts AS double precision[]),
  CAST(:retries AS text[]),
  CAST(:keys AS text[]),
  CAST(:expires_ats AS bigint[]),
  CAST(:parents AS text[]),
  CAST(:codecs AS text[]),
  CAST(:tags AS text[]),
  CAST(:metadata AS text[]),
  CAST(:args AS bytea[]),
  CAST(:periods AS bigint[]),
  CAST(:debounces AS bigint[]),
  CAST(:debounce_mosts AS bigint[]),
  CAST(:groups AS text[])
) AS pushed
WHERE own.id = CAST(:identity AS text)
