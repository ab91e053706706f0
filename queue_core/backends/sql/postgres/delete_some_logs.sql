-- Remove some of what these tasks logged; what another transaction removes already is left to it.
DELETE FROM prinia_logs
WHERE ctid = ANY(ARRAY(
  SELECT line.ctid
  FROM unnest(CAST(:ids AS text[])) AS doomed (id)
  JOIN prinia_logs AS line ON line.task = doomed.id
  LIMIT :limit
  FOR UPDATE OF line SKIP LOCKED
))
