-- Limits of queues and groups, and the rules of keys. Only tasks of groups are in these indexes.

-- The live tasks of a group by where they stand, each in the order of pushing.
CREATE INDEX tasks_group ON prinia_tasks (queue, group_name, stage, seq) WHERE group_name IS NOT NULL AND stage IS NOT NULL;

-- What is held back of a group, in claim order.
CREATE INDEX tasks_held ON prinia_tasks (queue, group_name, (- priority), run_at, seq) WHERE stage = 3;

-- The groups that a claim is to look at, and from when on. Nobody waits for a row here: a group may be named more than once.
CREATE TABLE prinia_turns (
  due_at bigint NOT NULL,
  queue text COLLATE "C" NOT NULL,
  group_name text COLLATE "C" NOT NULL
)
WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);

CREATE INDEX turns_due ON prinia_turns (queue, due_at);

-- When workers took how many tasks of a group, or of a queue (then group_name is empty), for as long as a rate looks back.
CREATE TABLE prinia_starts (
  at bigint NOT NULL,
  n bigint NOT NULL,
  queue text COLLATE "C" NOT NULL,
  group_name text COLLATE "C" NOT NULL
)
WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);

CREATE INDEX starts_of ON prinia_starts (queue, group_name, at);

-- Let the next claim look at some groups, from some time on: names[i] of the queue queues[i], NULL for none.
CREATE FUNCTION prinia_turn(queues text[], names text[], from_when bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO prinia_turns (queue, group_name, due_at)
  SELECT DISTINCT asked.queue, asked.name, from_when
  FROM unnest(queues, names) AS asked (queue, name)
  WHERE asked.name IS NOT NULL;
  UPDATE prinia_queues AS known
  SET limited = 1
  FROM (SELECT DISTINCT asked.queue FROM unnest(queues, names) AS asked (queue, name) WHERE asked.name IS NOT NULL) AS own
  WHERE known.name = own.queue
    AND known.limited = 0;
END
$$;

-- What the pusher's rules do about the task that has a key already, and the id of that task if it keeps its key; NULL when the key is free.
-- period: for how long a key belongs to its task: NULL for ever, -1 until it has ended, else so many microseconds from its push.
-- debounce: microseconds for which a task that has not started waits anew, with the name and arguments given, at most debounce_most from its push.
-- Conditions are checked again where they are acted on, because a worker may have changed the task meanwhile; then all is looked at anew.
CREATE FUNCTION prinia_twin_ruled(
  asked_queue text,
  asked_key text,
  moment bigint,
  period bigint,
  debounce bigint,
  debounce_most bigint,
  new_name text,
  new_codec text,
  new_args bytea
) RETURNS text
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
  holder record;
  due bigint;
BEGIN
  LOOP
    SELECT id, created_at, status, attempts, group_name INTO holder
    FROM prinia_tasks
    WHERE queue = asked_queue
      AND key = asked_key;
    IF NOT FOUND THEN
      RETURN NULL;
    END IF;

    IF debounce IS NOT NULL AND holder.status = 'Pending' AND holder.attempts = 0 THEN
      due := least(moment + debounce, holder.created_at + debounce_most);
      UPDATE prinia_tasks
      SET
        name = new_name,
        codec = new_codec,
        args = new_args,
        run_at = due,
        stage = CASE WHEN due > moment THEN 0 WHEN group_name IS NULL THEN 1 ELSE 3 END
      WHERE id = holder.id
        AND key = asked_key
        AND status = 'Pending'
        AND attempts = 0;
      IF FOUND THEN
        IF holder.group_name IS NOT NULL THEN
          PERFORM prinia_turn(ARRAY[asked_queue], ARRAY[holder.group_name], moment);
        END IF;
        INSERT INTO prinia_changes (at, n, queue, what)
        VALUES (moment, 1, asked_queue, 'touched');
        RETURN holder.id;
      END IF;
    ELSIF debounce IS NULL AND (
      period IS NULL
      OR (period >= 0 AND holder.created_at + period > moment)
      OR (period < 0 AND holder.status NOT IN ('Done', 'Killed'))
    ) THEN
      RETURN holder.id;
    ELSE
      UPDATE prinia_tasks
      SET key = NULL
      WHERE id = holder.id
        AND key = asked_key
        AND status = holder.status
        AND attempts = holder.attempts;
      IF FOUND THEN
        INSERT INTO prinia_changes (at, n, queue, what)
        VALUES (moment, 1, asked_queue, 'touched');
        RETURN NULL;
      END IF;
    END IF;
  END LOOP;
END
$$;

-- Store new tasks as prinia_push does, one after the other, where keys have rules or tasks have groups: element i of the last arrays is about task i.
CREATE FUNCTION prinia_push_ruled(
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
  new_periods bigint[],
  new_debounces bigint[],
  new_debounce_mosts bigint[],
  new_groups text[],
  OUT pushed_at bigint,
  OUT seqs bigint[],
  OUT twins text[],
  OUT named boolean
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  due bigint;
  twin text;
  place bigint;
  message text;
BEGIN
  pushed_at := prinia_now(given_now);

  SELECT coalesce(bool_or(prinia_name_queue(asked.queue, pushed_at)), false)
  INTO named
  FROM (SELECT DISTINCT unnest(new_queues) AS queue) AS asked;

  FOR i IN 1 .. cardinality(new_ids) LOOP
    due := coalesce(new_run_ats[i], pushed_at + new_delays[i], pushed_at);
    LOOP
      twin := NULL;
      IF new_keys[i] IS NOT NULL THEN
        twin := prinia_twin_ruled(
          new_queues[i], new_keys[i], pushed_at, new_periods[i], new_debounces[i], new_debounce_mosts[i], new_names[i], new_codecs[i], new_args[i]
        );
      END IF;
      EXIT WHEN twin IS NOT NULL;
      INSERT INTO prinia_tasks (
        id, queue, name, stage, priority, created_at, run_at, max_attempts,
        timeout, retry, key, group_name, expires_at, parent, codec, tags, metadata, args
      )
      VALUES (
        new_ids[i], new_queues[i], new_names[i], CASE WHEN due > pushed_at THEN 0 WHEN new_groups[i] IS NULL THEN 1 ELSE 3 END,
        new_priorities[i], pushed_at, due, new_max_attempts[i], new_timeouts[i], new_retries[i], new_keys[i], new_groups[i], new_expires_ats[i],
        new_parents[i], new_codecs[i], new_tags[i], new_metadata[i], new_args[i]
      )
      ON CONFLICT (queue, key) WHERE key IS NOT NULL DO NOTHING
      RETURNING seq INTO place;
      EXIT WHEN place IS NOT NULL;  -- else another transaction took the key just now, and its task is looked at
    END LOOP;
    seqs[i] := CASE WHEN twin IS NULL THEN place END;
    twins[i] := twin;
  END LOOP;

  INSERT INTO prinia_changes (at, n, queue, what)
  SELECT pushed_at, count(*), stored.queue, change.what
  FROM unnest(new_queues, seqs) AS stored (queue, seq)
  CROSS JOIN (VALUES ('Pending'), ('pushed')) AS change (what)
  WHERE stored.seq IS NOT NULL
  GROUP BY stored.queue, change.what;

  IF EXISTS (SELECT FROM unnest(new_groups) AS asked (name) WHERE asked.name IS NOT NULL) THEN
    PERFORM prinia_turn(new_queues, new_groups, pushed_at);
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

-- Let the next claims look at every group of a queue that has live tasks, found by skipping from name to name.
CREATE FUNCTION prinia_turn_all(asked text, moment bigint) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
DECLARE
  own text;
BEGIN
  SELECT min(group_name) INTO own FROM prinia_tasks WHERE queue = asked AND group_name IS NOT NULL AND stage IS NOT NULL;
  WHILE own IS NOT NULL LOOP
    PERFORM prinia_turn(ARRAY[asked], ARRAY[own], moment);
    SELECT min(group_name) INTO own FROM prinia_tasks WHERE queue = asked AND group_name > own AND group_name IS NOT NULL AND stage IS NOT NULL;
  END LOOP;
END
$$;

-- How many more tasks may be taken now (NULL: any number), and when a rate lets in more (NULL: no start stands in the way).
-- A start that seems to be yet to come was before the clock stepped back; it counts as one of now.
CREATE FUNCTION prinia_room(
  asked text,
  asked_group text,
  moment bigint,
  at_once integer,
  held integer,
  most integer,
  per bigint,
  OUT room integer,
  OUT more_at bigint
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
  room := CASE WHEN at_once IS NOT NULL THEN greatest(at_once - held, 0) END;
  IF most IS NOT NULL THEN
    DELETE FROM prinia_starts WHERE queue = asked AND group_name = asked_group AND at <= moment - per;
    UPDATE prinia_starts SET at = moment WHERE queue = asked AND group_name = asked_group AND at > moment;
    SELECT least(room, greatest(most - coalesce(sum(n), 0), 0)), min(at) + per
    INTO room, more_at
    FROM prinia_starts
    WHERE queue = asked
      AND group_name = asked_group;
  END IF;
END
$$;

-- Let as many tasks of a group in among the due ones as there is room for, at most 500 ahead, and no others; rows that are in their place are not
-- written. Those that another transaction holds are left as they are: where they are let in already they count, and where there is room for them their
-- group has another turn soon, because that transaction may be undone. BETWEEN leaves no way open but the index of groups, whatever a young table's
-- statistics say: that of all due tasks has too many others.
CREATE FUNCTION prinia_take_turn(known prinia_queues, asked text, moment bigint) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET enable_sort = off
SET jit = off
AS $$
DECLARE
  at_once CONSTANT integer := CASE WHEN known.ordered > 0 THEN 1 ELSE known.group_concurrency END;
  is_limited CONSTANT boolean := at_once IS NOT NULL OR known.group_rate_n IS NOT NULL;
  inside tid[];
  room integer := 1000;
  more_at bigint;
  first bigint;
  n integer;
BEGIN
  IF is_limited THEN
    inside := ARRAY(
      SELECT ctid
      FROM prinia_tasks
      WHERE queue = known.name
        AND group_name = asked
        AND stage BETWEEN 1 AND 1
        AND group_name IS NOT NULL
      FOR UPDATE SKIP LOCKED
    );
    SELECT least(let.room, 500), let.more_at INTO room, more_at
    FROM prinia_room(
      known.name, asked, moment, at_once,
      (
        SELECT sum((SELECT count(*) FROM prinia_tasks WHERE queue = known.name AND group_name = asked AND stage = place.stage))::integer
        FROM (VALUES (1), (2)) AS place (stage)
      ) - cardinality(inside),
      known.group_rate_n, known.group_rate_us
    ) AS let;
  END IF;

  IF known.ordered > 0 THEN
    SELECT min(seq) INTO first
    FROM (
      SELECT (SELECT min(seq) FROM prinia_tasks WHERE queue = known.name AND group_name = asked AND stage = place.stage) AS seq
      FROM (VALUES (0), (1), (2), (3)) AS place (stage)
    ) AS live;
  END IF;

  WITH outside AS (
    SELECT ctid AS row
    FROM prinia_tasks
    WHERE stage = 3
      AND queue = known.name
      AND group_name = asked
      AND (first IS NULL OR seq = first)
      AND (expires_at IS NULL OR expires_at > moment)
    ORDER BY (- priority), run_at, seq
    LIMIT room
    FOR UPDATE SKIP LOCKED
  ),
  placed AS (
    SELECT
      own.ctid AS row, own.stage,
      CASE WHEN (first IS NULL OR own.seq = first) AND row_number() OVER (ORDER BY (- own.priority), own.run_at, own.seq) <= room THEN 1 ELSE 3 END AS place
    FROM (SELECT row FROM outside UNION ALL SELECT unnest(inside)) AS found
    JOIN prinia_tasks AS own ON own.ctid = found.row
  ),
  moved AS (
    UPDATE prinia_tasks AS task
    SET stage = placed.place
    FROM placed
    WHERE task.ctid = placed.row
      AND task.stage <> placed.place
  )
  SELECT count(*) FILTER (WHERE place = 1) INTO n FROM placed;

  IF NOT is_limited AND n = room THEN
    PERFORM prinia_turn(ARRAY[known.name], ARRAY[asked], moment);
  ELSIF n < room AND EXISTS (
    SELECT
    FROM prinia_tasks
    WHERE stage = 3
      AND queue = known.name
      AND group_name = asked
      AND (first IS NULL OR seq = first)
      AND (expires_at IS NULL OR expires_at > moment)
  ) THEN
    PERFORM prinia_turn(ARRAY[known.name], ARRAY[asked], moment + 100000);
  END IF;

  IF more_at IS NOT NULL AND EXISTS (SELECT FROM prinia_tasks WHERE stage = 3 AND queue = known.name AND group_name = asked) THEN
    PERFORM prinia_turn(ARRAY[known.name], ARRAY[asked], more_at);
  END IF;
END
$$;

-- Claim where queues are limited: give their groups their turns, find out how many tasks there is room for, and take that many.
-- One claim at a time does this for a queue, up to its commit; what it does not see yet gives its group another turn when it commits. A claimer that
-- freezes before its commit, which through a pooler is a message of its own, loses its session, so that it does not stop all others.
CREATE FUNCTION prinia_claim_limited(
  given_now bigint,
  claimer text,
  claim_queues text[],
  claim_names text[],
  claim_limit integer,
  start_limit integer
)
RETURNS TABLE (
  id text,
  boot text,
  lease bigint,
  queue text,
  name text,
  args bytea,
  codec text,
  attempts integer,
  max_attempts integer,
  priority integer,
  run_at bigint,
  created_at bigint,
  timeout double precision,
  retry text,
  metadata text,
  status text,
  crashes integer,
  checkpoint bytea,
  group_name text,
  seq bigint,
  next_due bigint,
  overdue boolean,
  limited text[]
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET enable_sort = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  moment bigint;
  asked text;
  own text;
  known prinia_queues;
  let record;
  queues text[] := '{}';
  rooms integer[] := '{}';
  rated text[] := '{}';
  group_rated text[] := '{}';
  roomed text[] := '{}';
  roomy text[] := '{}';
  soon bigint;
  n integer;
BEGIN
  PERFORM set_config('idle_in_transaction_session_timeout', '3s', true);
  PERFORM pg_advisory_xact_lock(hashtext('{schema}.limits'), hashtext(asked_for.queue))
  FROM (SELECT unnest(claim_queues) AS queue ORDER BY queue) AS asked_for;
  moment := coalesce(given_now, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);

  FOREACH asked IN ARRAY claim_queues LOOP
    SELECT * INTO known FROM prinia_queues WHERE name = asked;
    IF coalesce(known.limited, 0) = 0 THEN
      queues := queues || asked;
      rooms := rooms || NULL::integer;
      CONTINUE;
    END IF;

    WITH found AS (
      SELECT ctid AS row
      FROM prinia_tasks
      WHERE stage = 0
        AND queue = asked
        AND status IN ('Pending', 'Failed')
        AND run_at <= moment
        AND group_name IS NOT NULL
      LIMIT 1000
      FOR UPDATE SKIP LOCKED
    ),
    moved AS (
      UPDATE prinia_tasks AS task
      SET stage = 3
      FROM found
      WHERE task.ctid = found.row
      RETURNING task.group_name
    )
    INSERT INTO prinia_turns (queue, group_name, due_at)
    SELECT DISTINCT asked, moved.group_name, moment
    FROM moved;

    FOR own IN
      WITH taken AS (
        DELETE FROM prinia_turns
        WHERE ctid = ANY(ARRAY(
          (
            SELECT ctid
            FROM prinia_turns
            WHERE queue = asked
              AND due_at <= moment
            ORDER BY due_at
            LIMIT 1000
          )
          UNION ALL
          (
            SELECT ctid
            FROM prinia_turns
            WHERE queue = asked
              AND due_at > moment + greatest(known.group_rate_us, 1000000)
            ORDER BY due_at
            LIMIT 1000
          )
        ))
        RETURNING group_name
      )
      SELECT DISTINCT group_name FROM taken
    LOOP
      PERFORM prinia_take_turn(known, own, moment);
    END LOOP;
    SELECT * INTO let
    FROM prinia_room(
      asked, '', moment, known.concurrency,
      CASE WHEN known.concurrency IS NOT NULL THEN (
        SELECT count(*)::integer FROM prinia_tasks WHERE queue = asked AND status IN ('Queued', 'Running')
      ) END,
      known.rate_n, known.rate_us
    );
    IF let.room = 0 THEN
      soon := least(soon, let.more_at);
    ELSE
      queues := queues || asked;
      rooms := rooms || let.room;
      IF let.room IS NOT NULL THEN
        roomed := roomed || asked;
      END IF;
    END IF;
    IF known.concurrency IS NOT NULL THEN
      limited := limited || asked;
    END IF;
    IF known.rate_n IS NOT NULL THEN
      rated := rated || asked;
    END IF;
    IF known.group_rate_n IS NOT NULL THEN
      group_rated := group_rated || asked;
    END IF;
    IF known.ordered = 0 AND least(known.group_concurrency, known.group_rate_n) > 500 THEN
      roomy := roomy || asked;
    END IF;
  END LOOP;

  RETURN QUERY
  WITH claimed AS MATERIALIZED (
    SELECT *
    FROM prinia_claim(moment, claimer, queues, claim_names, claim_limit, start_limit, NULL, NULL, NULL, rooms)
  ),
  taken AS (
    SELECT
      own.queue, own.group_name, own.n,
      (
        SELECT start.ctid
        FROM prinia_starts AS start
        WHERE start.queue = own.queue
          AND start.group_name = own.group_name
          AND start.at BETWEEN moment - moment % greatest(own.per / 1000, 1) AND moment
        ORDER BY start.at DESC
        LIMIT 1
      ) AS row
    FROM (
      SELECT claimed.queue, '' AS group_name, count(*) AS n, known.rate_us AS per
      FROM claimed
      JOIN prinia_queues AS known ON known.name = claimed.queue
      WHERE claimed.id IS NOT NULL
        AND claimed.queue = ANY(rated)
      GROUP BY claimed.queue, known.rate_us
      UNION ALL
      SELECT claimed.queue, claimed.group_name, count(*), known.group_rate_us
      FROM claimed
      JOIN prinia_queues AS known ON known.name = claimed.queue
      WHERE claimed.group_name IS NOT NULL
        AND claimed.queue = ANY(group_rated)
      GROUP BY claimed.queue, claimed.group_name, known.group_rate_us
    ) AS own
  ),
  added AS (
    UPDATE prinia_starts AS start
    SET at = moment, n = start.n + taken.n
    FROM taken
    WHERE start.ctid = taken.row
  ),
  started AS (
    INSERT INTO prinia_starts (queue, group_name, at, n)
    SELECT taken.queue, taken.group_name, moment, taken.n
    FROM taken
    WHERE taken.row IS NULL
  ),
  turned AS (
    INSERT INTO prinia_turns (queue, group_name, due_at)
    SELECT DISTINCT claimed.queue, claimed.group_name, moment + known.group_rate_us
    FROM claimed
    JOIN prinia_queues AS known ON known.name = claimed.queue
    WHERE claimed.group_name IS NOT NULL
      AND claimed.queue = ANY(group_rated)
  )
  SELECT * FROM claimed;
  GET DIAGNOSTICS n = ROW_COUNT;

  -- Groups of which all that were let in ahead are taken have another turn.
  IF roomy <> '{}' AND n > 1 THEN
    INSERT INTO prinia_turns (queue, group_name, due_at)
    SELECT own.queue, own.group_name, moment
    FROM (
      SELECT DISTINCT held.queue, held.group_name
      FROM prinia_tasks AS held
      WHERE held.boot = claimer
        AND held.stage = 2
        AND held.queue = ANY(roomy)
        AND held.group_name IS NOT NULL
    ) AS own
    WHERE NOT EXISTS (SELECT FROM prinia_tasks AS task WHERE task.queue = own.queue AND task.group_name = own.group_name AND task.stage BETWEEN 1 AND 1)
      AND EXISTS (SELECT FROM prinia_tasks AS task WHERE task.queue = own.queue AND task.group_name = own.group_name AND task.stage = 3);
  END IF;
  FOREACH asked IN ARRAY claim_queues LOOP
    soon := least(soon, (SELECT min(due_at) FROM prinia_turns WHERE queue = asked));
  END LOOP;

  -- Where a limit cut the claim short, another look finds out until when.
  id := NULL;
  overdue := false;
  next_due := CASE
    WHEN n > 1 AND n <= claim_limit AND EXISTS (
      SELECT
      FROM prinia_tasks AS left_behind
      WHERE left_behind.stage = 1
        AND left_behind.queue = ANY(roomed)
        AND left_behind.run_at <= moment
        AND (claim_names IS NULL OR left_behind.name = ANY(claim_names))
    ) THEN 0
    ELSE soon - moment
  END;
  RETURN NEXT;
END
$$;
