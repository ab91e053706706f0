-- The first schema. Times are microseconds since 1970 in UTC; JSON is kept as text.

-- Tasks. The large columns come last, so that lists need not follow their overflow pages.
-- seq is the order of pushing: it is given out by the writer under the write lock, so it needs no AUTOINCREMENT.
-- stage: 0 waits for a later time, 1 due, 2 leased, 3 due but for the limits of its group, NULL finished.
CREATE TABLE prinia_tasks (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  queue TEXT NOT NULL,
  name TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'Pending',
  reason TEXT,
  stage INTEGER,
  priority INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  run_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  max_attempts INTEGER NOT NULL,
  crashes INTEGER NOT NULL DEFAULT 0,
  worker TEXT,
  boot TEXT,
  lease INTEGER NOT NULL DEFAULT 0,
  queued_at INTEGER,
  started_at INTEGER,
  done_at INTEGER,
  ran_us INTEGER,
  kill_requested_at INTEGER,
  progress REAL,
  progress_note TEXT,
  error TEXT,
  timeout REAL,
  retry TEXT,
  key TEXT,
  group_name TEXT,
  expires_at INTEGER,
  parent TEXT,
  codec TEXT NOT NULL,
  tags TEXT,
  metadata TEXT,
  args BLOB NOT NULL,
  result BLOB,
  checkpoint BLOB
) STRICT;

-- What can be claimed now, in claim order, with all that choosing needs; stage is there only so that the row need not be read.
CREATE INDEX prinia_tasks_claim ON prinia_tasks (queue, priority DESC, run_at, seq, name, status, expires_at, stage) WHERE stage = 1;

-- What becomes due later, and when.
CREATE INDEX prinia_tasks_scheduled ON prinia_tasks (queue, status, run_at) WHERE stage = 0;

-- What each process life of a worker holds.
CREATE INDEX prinia_tasks_leased ON prinia_tasks (boot) WHERE stage = 2;

-- One task for each idempotency key of a queue.
CREATE UNIQUE INDEX prinia_tasks_key ON prinia_tasks (queue, key) WHERE key IS NOT NULL;

-- What expires when, while it waits.
CREATE INDEX prinia_tasks_expires ON prinia_tasks (expires_at) WHERE expires_at IS NOT NULL AND stage IN (0, 1, 3);

-- Every list of the board, at any depth; also what retention walks.
CREATE INDEX prinia_tasks_list ON prinia_tasks (queue, status, seq);

-- Attempts that did not simply succeed. A plain success is told by its task's row.
CREATE TABLE prinia_attempts (
  place INTEGER PRIMARY KEY,
  task INTEGER NOT NULL,
  number INTEGER NOT NULL,
  worker TEXT,
  started_at INTEGER,
  finished_at INTEGER,
  ran_us INTEGER,
  outcome TEXT NOT NULL,
  error_type TEXT,
  message TEXT,
  traceback TEXT
) STRICT;

CREATE INDEX prinia_attempts_task ON prinia_attempts (task, place);

-- One row for each process life of a worker.
CREATE TABLE prinia_workers (
  boot TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  queues TEXT NOT NULL,
  names TEXT,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  process TEXT NOT NULL,
  version TEXT NOT NULL,
  middleware TEXT NOT NULL,
  concurrency INTEGER NOT NULL,
  lease_us INTEGER NOT NULL,
  state TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  last_heartbeat INTEGER NOT NULL,
  stopped_at INTEGER,
  running INTEGER NOT NULL DEFAULT 0,
  rss INTEGER,
  cpu REAL
) STRICT, WITHOUT ROWID;

CREATE INDEX prinia_workers_live ON prinia_workers (name) WHERE stopped_at IS NULL;

CREATE INDEX prinia_workers_ended ON prinia_workers (stopped_at) WHERE stopped_at IS NOT NULL;

-- limited: whether a claim has to look at the limits, which are the columns behind it, or at groups.
CREATE TABLE prinia_queues (
  name TEXT PRIMARY KEY,
  created_at INTEGER NOT NULL,
  paused_by TEXT,
  paused_at INTEGER,
  pause_reason TEXT,
  last_claim INTEGER,
  limited INTEGER NOT NULL DEFAULT 0,
  concurrency INTEGER,
  rate_n INTEGER,
  rate_us INTEGER,
  group_concurrency INTEGER,
  group_rate_n INTEGER,
  group_rate_us INTEGER,
  ordered INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- How many tasks are in each state; written in the transaction that moves them.
CREATE TABLE prinia_counters (
  queue TEXT NOT NULL,
  status TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (queue, status)
) STRICT, WITHOUT ROWID;

-- What happened in each minute, hour and day.
CREATE TABLE prinia_rollups (
  span TEXT NOT NULL,
  queue TEXT NOT NULL,
  start INTEGER NOT NULL,
  metric TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (span, queue, start, metric)
) STRICT, WITHOUT ROWID;

-- Counts the changes of each topic, for the watchers in other processes.
CREATE TABLE prinia_versions (
  topic TEXT PRIMARY KEY,
  version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What people did.
CREATE TABLE prinia_audit (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  queue TEXT,
  task_ids TEXT NOT NULL,
  count INTEGER NOT NULL,
  reason TEXT
) STRICT;

CREATE INDEX prinia_audit_at ON prinia_audit (at);

-- The tasks of each entry, so that the history of one task is found, and forgotten with the entry.
CREATE TABLE prinia_audit_tasks (
  task_id TEXT NOT NULL,
  audit INTEGER NOT NULL,
  PRIMARY KEY (task_id, audit)
) STRICT, WITHOUT ROWID;

CREATE INDEX prinia_audit_tasks_audit ON prinia_audit_tasks (audit);
