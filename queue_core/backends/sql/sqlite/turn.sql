-- Let the next claim look at a group, from some time on.
INSERT INTO prinia_turns (queue, group_name, due_at)
VALUES (:queue, :group, :due_at)
ON CONFLICT (queue, group_name) DO UPDATE SET
  due_at = min(due_at, excluded.due_at)
