-- Limits of queues and groups. Only tasks of groups are in these indexes.

-- The live tasks of a group by where they stand, each in the order of pushing.
CREATE INDEX prinia_tasks_group ON prinia_tasks (queue, group_name, stage, seq) WHERE group_name IS NOT NULL AND stage IS NOT NULL;

-- What is held back of a group, in claim order.
CREATE INDEX prinia_tasks_held ON prinia_tasks (queue, group_name, priority DESC, run_at, seq) WHERE stage = 3;

-- The groups that a claim is to look at, and from when on.
CREATE TABLE prinia_turns (
  queue TEXT NOT NULL,
  group_name TEXT NOT NULL,
  due_at INTEGER NOT NULL,
  PRIMARY KEY (queue, group_name)
) STRICT, WITHOUT ROWID;

CREATE INDEX prinia_turns_due ON prinia_turns (queue, due_at);

-- When workers took how many tasks of a group, or of a queue (then group_name is empty), for as long as a rate looks back.
CREATE TABLE prinia_starts (
  place INTEGER PRIMARY KEY,
  queue TEXT NOT NULL,
  group_name TEXT NOT NULL,
  at INTEGER NOT NULL,
  n INTEGER NOT NULL
) STRICT;

CREATE INDEX prinia_starts_of ON prinia_starts (queue, group_name, at);
