-- Make sure that the queue is known, also while it is empty; whether it was not.
CREATE FUNCTION prinia_name_queue(new_queue text, moment bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM prinia_queues WHERE name = new_queue) THEN
    RETURN false;
  END IF;
  BEGIN
    INSERT INTO prinia_queues (name, created_at)
    VALUES (new_queue, moment)
    ON CONFLICT (name) DO NOTHING;
    IF NOT FOUND THEN
      RETURN false;
    END IF;
  EXCEPTION
    WHEN serialization_failure THEN  -- it is known, since a moment after the snapshot of a transaction that sees no later ones
      RETURN false;
  END;
  INSERT INTO prinia_changes (at, n, what)
  VALUES (moment, 1, 'queues');
  RETURN true;
END
$$;

-- The id of the task that has this idempotency key in the queue.
CREATE FUNCTION prinia_twin(asked_queue text, asked_key text) RETURNS text
LANGUAGE sql STABLE
SET enable_seqscan = off
SET jit = off
AS $$
  SELECT id
  FROM prinia_tasks
  WHERE queue = asked_queue
    AND key = asked_key
$$;

-- Store new tasks as Pending, all or none, in the order given. Element i of each array is about task i; an array that
-- holds nothing but NULL may be NULL itself.
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
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  stored_ids text[];
  message text;
BEGIN
  pushed_at := prinia_now(given_now);

  SELECT coalesce(bool_or(prinia_name_queue(asked.queue, pushed_at)), false)
  INTO named
  FROM (SELECT DISTINCT unnest(new_queues) AS queue) AS asked;

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
      array_agg(CASE WHEN own.seq IS NULL THEN prinia_twin(asked.queue, asked.key) END ORDER BY asked.place)
    INTO seqs, twins
    FROM unnest(new_ids, new_queues, new_keys) WITH ORDINALITY AS asked (id, queue, key, place)
    LEFT JOIN unnest(stored_ids, seqs) AS own (id, seq) ON own.id = asked.id;
  END IF;

  IF announce THEN
    message := json_build_object(
      'w', ARRAY(SELECT DISTINCT unnest(new_queues)),
      't', CASE WHEN named THEN ARRAY['queues'] ELSE ARRAY[]::text[] END,
      'r', 1
    );
    PERFORM pg_notify('{schema}', CASE WHEN octet_length(message) <= 7500 THEN message ELSE '{"all": 1}' END);
  END IF;
END
$$;

-- Store one new task as prinia_push does: most pushes are of one, and what arrays cost is then most of the price.
CREATE FUNCTION prinia_push_one(
  given_now bigint,
  new_id text,
  new_queue text,
  new_name text,
  new_priority integer,
  new_run_at bigint,
  new_delay bigint,
  new_max_attempts integer,
  new_timeout double precision,
  new_retry text,
  new_key text,
  new_expires_at bigint,
  new_parent text,
  new_codec text,
  new_tags text,
  new_metadata text,
  new_args bytea,
  OUT pushed_at bigint,
  OUT place bigint,
  OUT twin text,
  OUT named boolean
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  due bigint;
BEGIN
  pushed_at := prinia_now(given_now);
  due := coalesce(new_run_at, pushed_at + new_delay, pushed_at);
  named := prinia_name_queue(new_queue, pushed_at);

  INSERT INTO prinia_tasks (
    id, queue, name, stage, priority, created_at, run_at, max_attempts,
    timeout, retry, key, expires_at, parent, codec, tags, metadata, args
  )
  VALUES (
    new_id, new_queue, new_name, CASE WHEN due <= pushed_at THEN 1 ELSE 0 END, new_priority, pushed_at, due, new_max_attempts,
    new_timeout, new_retry, new_key, new_expires_at, new_parent, new_codec, new_tags, new_metadata, new_args
  )
  ON CONFLICT (queue, key) WHERE key IS NOT NULL DO NOTHING
  RETURNING seq INTO place;

  IF place IS NULL THEN
    twin := prinia_twin(new_queue, new_key);
  ELSE
    INSERT INTO prinia_changes (at, n, queue, what)
    VALUES (pushed_at, 1, new_queue, 'Pending'), (pushed_at, 1, new_queue, 'pushed');
  END IF;
END
$$;

-- Prepare for many tasks that are copied into the table in the same transaction, ns[i] to the queue new_queues[i]: their places in the order of pushing.
CREATE FUNCTION prinia_make_room(
  given_now bigint,
  new_queues text[],
  ns integer[],
  OUT pushed_at bigint,
  OUT seqs bigint[],
  OUT named boolean
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  places CONSTANT regclass := pg_get_serial_sequence('{schema}.tasks', 'seq');
BEGIN
  pushed_at := prinia_now(given_now);

  SELECT coalesce(bool_or(prinia_name_queue(asked.queue, pushed_at)), false)
  INTO named
  FROM unnest(new_queues) AS asked (queue);

  INSERT INTO prinia_changes (at, n, queue, what)
  SELECT pushed_at, asked.n, asked.queue, change.what
  FROM unnest(new_queues, ns) AS asked (queue, n)
  CROSS JOIN (VALUES ('Pending'), ('pushed')) AS change (what);

  SELECT array_agg(nextval(places))
  INTO seqs
  FROM generate_series(1, (SELECT sum(asked.n) FROM unnest(ns) AS asked (n)));
END
$$;
