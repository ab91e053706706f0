-- Some of the groups of a queue that a claim is to look at now, which it then does. None has its turn later than the latest, unless the clock stepped back.
DELETE FROM prinia_turns
WHERE queue = :queue
  AND group_name IN (
    SELECT group_name
    FROM (
      SELECT due.group_name
      FROM prinia_turns AS due INDEXED BY prinia_turns_due
      WHERE due.queue = :queue
        AND due.due_at <= :now
      ORDER BY due.due_at
      LIMIT :limit
    )
    UNION ALL
    SELECT group_name
    FROM (
      SELECT due.group_name
      FROM prinia_turns AS due INDEXED BY prinia_turns_due
      WHERE due.queue = :queue
        AND due.due_at > :latest
      LIMIT :limit
    )
  )
RETURNING group_name
