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
    SELECT id, created_at, status, attempts INTO holder
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
        stage = CASE WHEN due <= moment THEN 1 ELSE 0 END
      WHERE id = holder.id
        AND key = asked_key
        AND status = 'Pending'
        AND attempts = 0;
      IF FOUND THEN
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

-- Store new tasks as prinia_push does, one after the other, where keys have rules: element i of the last arrays tells those of task i.
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
  OUT pushed_at bigint,
  OUT seqs bigint[],
  OUT twins text[],
  OUT named boolean
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  place bigint;
  is_new boolean;
  twin text;
  message text;
BEGIN
  pushed_at := prinia_now(given_now);
  named := false;

  FOR i IN 1 .. cardinality(new_ids) LOOP
    LOOP
      twin := NULL;
      IF new_keys[i] IS NOT NULL THEN
        twin := prinia_twin_ruled(
          new_queues[i], new_keys[i], pushed_at, new_periods[i], new_debounces[i], new_debounce_mosts[i], new_names[i], new_codecs[i], new_args[i]
        );
      END IF;
      EXIT WHEN twin IS NOT NULL;
      SELECT stored.place, stored.named INTO place, is_new
      FROM prinia_push_one(
        pushed_at, new_ids[i], new_queues[i], new_names[i], new_priorities[i], new_run_ats[i], new_delays[i], new_max_attempts[i],
        new_timeouts[i], new_retries[i], new_keys[i], new_expires_ats[i], new_parents[i], new_codecs[i], new_tags[i], new_metadata[i], new_args[i]
      ) AS stored;
      named := named OR is_new;
      EXIT WHEN place IS NOT NULL;  -- else another transaction took the key just now, and its task is looked at
    END LOOP;
    seqs[i] := CASE WHEN twin IS NULL THEN place END;
    twins[i] := twin;
  END LOOP;

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
