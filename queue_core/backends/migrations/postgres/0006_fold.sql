-- Add up a batch of changes; how many rows it took, or NULL when another session is at it.
-- Everything visible is taken, whatever longer transactions go on beside it. Below the oldest transaction that still runs nothing can appear any
-- more, and readers and the next fold look only from there on: so they never walk over what is deleted but cannot be cleaned away yet.
CREATE FUNCTION prinia_fold(most integer) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off
SET plan_cache_mode = force_custom_plan
SET jit = off
AS $$
DECLARE
  since xid8;
  oldest xid8;
  taken integer;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtext('{schema}'), hashtext('fold')) THEN
    RETURN NULL;
  END IF;
  PERFORM set_config('synchronous_commit', 'off', true);
  SELECT below INTO since FROM prinia_folded;
  oldest := pg_snapshot_xmin(pg_current_snapshot());

  WITH gone AS (
    DELETE FROM prinia_changes
    WHERE ctid = ANY(ARRAY(
      SELECT old.ctid
      FROM prinia_changes AS old
      WHERE old.xid >= since
      ORDER BY old.xid
      LIMIT most
    ))
    RETURNING xid, at, n, queue, what
  ),
  counted AS (
    INSERT INTO prinia_counters (queue, status, n)
    SELECT gone.queue, gone.what, sum(gone.n)
    FROM gone
    WHERE gone.what IN ('Pending', 'Queued', 'Running', 'Done', 'Failed', 'Killed')
    GROUP BY gone.queue, gone.what
    HAVING sum(gone.n) <> 0
    ON CONFLICT (queue, status) DO UPDATE SET
      n = prinia_counters.n + excluded.n
  ),
  rolled AS (
    INSERT INTO prinia_rollups (span, queue, start, metric, n)
    SELECT span.name, gone.queue, gone.at - gone.at % span.width, gone.what, sum(gone.n)
    FROM gone
    CROSS JOIN (VALUES ('minute', 60000000), ('hour', 3600000000), ('day', 86400000000)) AS span (name, width)
    WHERE gone.what IN ('pushed', 'done', 'failed', 'killed')
      OR gone.what LIKE 'run:%'
      OR gone.what LIKE 'wait:%'
    GROUP BY span.name, gone.queue, gone.at - gone.at % span.width, gone.what
    ON CONFLICT (span, queue, start, metric) DO UPDATE SET
      n = prinia_rollups.n + excluded.n
  ),
  claimed AS (
    UPDATE prinia_queues AS known
    SET last_claim = greatest(known.last_claim, latest.at)
    FROM (
      SELECT gone.queue, max(gone.at) AS at
      FROM gone
      WHERE gone.what = 'claimed'
      GROUP BY gone.queue
    ) AS latest
    WHERE known.name = latest.queue
  ),
  versioned AS (
    INSERT INTO prinia_versions (topic, version)
    SELECT DISTINCT coalesce('queue:' || gone.queue, gone.what), 1
    FROM gone
    ON CONFLICT (topic) DO UPDATE SET
      version = prinia_versions.version + 1
  )
  SELECT count(*), CASE WHEN count(*) = most THEN (array_agg(gone.xid ORDER BY gone.xid DESC))[1] ELSE oldest END
  INTO taken, since
  FROM gone;

  UPDATE prinia_folded
  SET below = least(since, oldest)
  WHERE below < least(since, oldest);
  RETURN taken;
END
$$;
