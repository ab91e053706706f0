-- Schedules: what is pushed again and again, and when next. Kept whole, so that any worker can push their tasks.
-- version counts the declarations, so that nobody fires what has changed since he looked.
CREATE TABLE prinia_schedules (
  name TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  spec TEXT NOT NULL,
  timezone TEXT,
  task TEXT NOT NULL,
  queue TEXT NOT NULL,
  codec TEXT NOT NULL,
  options TEXT NOT NULL,
  missed TEXT NOT NULL,
  version INTEGER NOT NULL DEFAULT 1,
  declared_at INTEGER NOT NULL,
  paused_by TEXT,
  paused_at INTEGER,
  pause_reason TEXT,
  last_tick INTEGER,
  last_task TEXT,
  next_tick INTEGER,
  args BLOB NOT NULL
) STRICT;

-- What is due when.
CREATE INDEX prinia_schedules_due ON prinia_schedules (next_tick) WHERE paused_at IS NULL AND next_tick IS NOT NULL;

-- The newest ticks of each schedule, one row each, however many workers see it come.
CREATE TABLE prinia_schedule_ticks (
  schedule TEXT NOT NULL,
  tick INTEGER NOT NULL,
  task TEXT NOT NULL,
  fired_at INTEGER NOT NULL,
  PRIMARY KEY (schedule, tick)
) STRICT, WITHOUT ROWID;

-- The schedule that an action was about.
ALTER TABLE prinia_audit ADD COLUMN schedule TEXT;
