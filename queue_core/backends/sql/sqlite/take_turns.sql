-- Some of the groups of a queue that a claim is to look at now, which it then does.
DELETE FROM prinia_turns
WHERE queue = :queue
  AND group_name IN (
    SELECT due.group_name
    FROM prinia_turns AS due INDEXED BY prinia_turns_due
    WHERE due.queue = :queue
      AND due.due_at <= :now
    ORDER BY due.due_at
    LIMIT :limit
  )
RETURNING group_name
