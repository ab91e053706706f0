-- What handlers logged. place is the order of storing; stored_at is the store's time, at that of the host where the line was logged.
CREATE TABLE prinia_logs (
  place INTEGER PRIMARY KEY,
  task TEXT NOT NULL,
  queue TEXT NOT NULL,
  lease INTEGER NOT NULL,
  number INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  at INTEGER NOT NULL,
  stored_at INTEGER NOT NULL,
  level INTEGER NOT NULL,
  logger TEXT NOT NULL,
  message TEXT NOT NULL
) STRICT;

-- The log of one task, which also goes with it.
CREATE INDEX prinia_logs_task ON prinia_logs (task, place);

-- The log of one queue; also what retention walks.
CREATE INDEX prinia_logs_queue ON prinia_logs (queue, place);
