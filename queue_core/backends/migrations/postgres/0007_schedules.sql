-- Schedules: what is pushed again and again, and when next. Kept whole, so that any worker can push their tasks.
-- version counts the declarations, so that nobody fires what has changed since he looked.
CREATE TABLE prinia_schedules (
  name text COLLATE "C" PRIMARY KEY,
  kind text NOT NULL,
  spec text NOT NULL,
  timezone text,
  task text NOT NULL,
  queue text NOT NULL,
  codec text NOT NULL,
  options text NOT NULL,
  missed text NOT NULL,
  version bigint NOT NULL DEFAULT 1,
  declared_at bigint NOT NULL,
  paused_by text,
  paused_at bigint,
  pause_reason text,
  last_tick bigint,
  last_task text,
  next_tick bigint,
  args bytea NOT NULL
);

-- What is due when.
CREATE INDEX schedules_due ON prinia_schedules (next_tick) WHERE paused_at IS NULL AND next_tick IS NOT NULL;

-- The newest ticks of each schedule, one row each, however many workers see it come.
CREATE TABLE prinia_schedule_ticks (
  schedule text COLLATE "C" NOT NULL,
  tick bigint NOT NULL,
  task text NOT NULL,
  fired_at bigint NOT NULL,
  PRIMARY KEY (schedule, tick)
);

-- The schedule that an action was about.
ALTER TABLE prinia_audit ADD COLUMN schedule text;
