-- Store new tasks as Pending, all or none, in the order given. Element i of each array is about task i.
-- seqs: the place of each in the order of pushing; NULL for one whose key is taken, and then twins holds the id of the task that has it.
-- named: whether a queue was named for the first time.
-- announce: tell the listeners as part of the caller's transaction, for pushes that join one.
CREATE FUNCTION prinia_push(
  given_now bigint,
  announce boolean,
  new_ids text[],
  new_queues text[],
  new_names text[],
  new_priorities integer[],
  new_run_ats bigint[],
  new_delays bigint[],
  new_max_attempts integer[],
  new_timeouts double precision[],
  new_retries text[],
  new_keys text[],
  new_expires_ats bigint[],
  new_parents text[],
  new_codecs text[],
  new_tags text[],
  new_metadata text[],
  new_args bytea[],
  OUT pushed_at bigint,
  OUT seqs bigint[],
  OUT twins text[],
  OUT named boolean
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  stored_ids text[];
BEGIN
  pushed_at := prinia_now(given_now);

  WITH newly AS (
    INSERT INTO prinia_queues (name, created_at)
    SELECT DISTINCT asked.queue, pushed_at
    FROM unnest(new_queues) AS asked (queue)
    WHERE NOT EXISTS (SELECT FROM prinia_queues AS known WHERE known.name = asked.queue)
    ON CONFLICT (name) DO NOTHING
    RETURNING name
  )
  INSERT INTO prinia_changes (at, n, what)
  SELECT pushed_at, count(*), 'queues'
  FROM newly
  HAVING count(*) > 0;
  named := FOUND;

  WITH stored AS (
    INSERT INTO prinia_tasks (
      id, queue, name, stage, priority, created_at, run_at, max_attempts,
      timeout, retry, key, expires_at, parent, codec, tags, metadata, args
    )
    SELECT
      new.id, new.queue, new.name,
      CASE WHEN coalesce(new.run_at, pushed_at + new.delay, pushed_at) <= pushed_at THEN 1 ELSE 0 END,
      new.priority, pushed_at, coalesce(new.run_at, pushed_at + new.delay, pushed_at), new.max_attempts,
      new.timeout, new.retry, new.key, new.expires_at, new.parent, new.codec, new.tags, new.metadata, new.args
    FROM unnest(
      new_ids, new_queues, new_names, new_priorities, new_run_ats, new_delays, new_max_attempts,
      new_timeouts, new_retries, new_keys, new_expires_ats, new_parents, new_codecs, new_tags, new_metadata, new_args
    ) WITH ORDINALITY AS new (
      id, queue, name, priority, run_at, delay, max_attempts,
      timeout, retry, key, expires_at, parent, codec, tags, metadata, args, place
    )
    ORDER BY new.place
    ON CONFLICT (queue, key) WHERE key IS NOT NULL DO NOTHING
    RETURNING seq, id, queue
  ),
  counted AS (
    INSERT INTO prinia_changes (at, n, queue, what)
    SELECT pushed_at, count(*), stored.queue, change.what
    FROM stored
    CROSS JOIN (VALUES ('Pending'), ('pushed')) AS change (what)
    GROUP BY stored.queue, change.what
  )
  SELECT array_agg(seq ORDER BY seq), array_agg(id ORDER BY seq)
  INTO seqs, stored_ids
  FROM stored;

  IF cardinality(seqs) IS DISTINCT FROM cardinality(new_ids) THEN
    SELECT
      array_agg(own.seq ORDER BY asked.place),
      array_agg(CASE WHEN own.seq IS NULL THEN (
        SELECT twin.id
        FROM prinia_tasks AS twin
        WHERE twin.queue = asked.queue
          AND twin.key = asked.key
      ) END ORDER BY asked.place)
    INTO seqs, twins
    FROM unnest(new_ids, new_queues, new_keys) WITH ORDINALITY AS asked (id, queue, key, place)
    LEFT JOIN unnest(stored_ids, seqs) AS own (id, seq) ON own.id = asked.id;
  END IF;

  IF announce THEN
    PERFORM pg_notify('{schema}', json_build_object(
      'w', ARRAY(SELECT DISTINCT unnest(new_queues)),
      't', CASE WHEN named THEN ARRAY['queues'] ELSE ARRAY[]::text[] END,
      'r', 1
    )::text);
  END IF;
END
$$;
