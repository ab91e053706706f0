-- What the larger functions are made of. They are functions because each of their statements then sees what committed meanwhile, at the price of
-- one round trip, in the caller's own transaction, from any driver and through any pooler.

-- The store's now in microseconds: the server's, or the one of a test's clock.
CREATE FUNCTION prinia_now(given bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT coalesce(given, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint)
$$;

-- The bucket of a histogram that a duration in microseconds belongs to; the bounds are those of queue_core.histogram.
CREATE FUNCTION prinia_bucket(us bigint) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
  SELECT width_bucket(us - 1, ARRAY[
    1000, 1500, 2250, 3375, 5063, 7594, 11391, 17086, 25629, 38443, 57665, 86498, 129746, 194620, 291929, 437894, 656841, 985261, 1477892,
    2216838, 3325257, 4987885, 7481828, 11222741, 16834112, 25251168, 37876752, 56815129, 85222693, 127834039, 191751059, 287626589,
    431439883, 647159825, 970739737, 1456109606, 2184164409, 3276246614, 4914369920, 7371554881, 11057332321, 16585998481
  ]::bigint[])
$$;

-- Stored bytes as text to search in; bytes that are no UTF-8 are shown as escapes.
CREATE FUNCTION prinia_readable(stored bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN convert_from(stored, 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
  RETURN encode(stored, 'escape');
END
$$;

-- When the next task of the queues is due: a scheduled one, or one that was due until the clock stepped back.
-- The latter are looked for priority by priority through the claim index, so that a backlog costs nothing. What has expired will never be due. Plans as in prinia_claim.
CREATE FUNCTION prinia_next_due(queues text[], moment bigint) RETURNS bigint
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
DECLARE
  asked text;
  rank integer;
  soonest bigint;
BEGIN
  FOREACH asked IN ARRAY queues LOOP
    soonest := least(
      soonest,
      (
        SELECT run_at FROM prinia_tasks
        WHERE stage = 0 AND queue = asked AND status = 'Pending' AND (expires_at IS NULL OR expires_at > moment)
        ORDER BY run_at
        LIMIT 1
      ),
      (
        SELECT run_at FROM prinia_tasks
        WHERE stage = 0 AND queue = asked AND status = 'Failed' AND (expires_at IS NULL OR expires_at > moment)
        ORDER BY run_at
        LIMIT 1
      )
    );
    rank := (SELECT - priority FROM prinia_tasks WHERE stage = 1 AND queue = asked ORDER BY (- priority) LIMIT 1);
    WHILE rank IS NOT NULL LOOP
      soonest := least(
        soonest,
        (
          SELECT run_at FROM prinia_tasks
          WHERE stage = 1 AND queue = asked AND (- priority) = rank AND run_at > moment AND (expires_at IS NULL OR expires_at > moment)
          ORDER BY run_at
          LIMIT 1
        )
      );
      rank := (SELECT - priority FROM prinia_tasks WHERE stage = 1 AND queue = asked AND (- priority) > rank ORDER BY (- priority) LIMIT 1);
    END LOOP;
  END LOOP;
  RETURN soonest;
END
$$;
