-- What the person who runs it looks at: who changed what, messages that were given up, kinds of work that are held back, and logs that can
-- be searched when there are a million of them.

-- One row a change, written in the batch that makes the change. `target` names the thing as its path below /admin does
-- (`users/1`, `job-runs/7`). When a user is deleted, these rows stay and everything about the user in them goes.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  credential TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  user_id INTEGER,
  before_json TEXT,
  after_json TEXT,
  request_id TEXT
) STRICT;

-- Messages that the queue or a job gave up: ids only, as all messages are.
CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  -- The message as it came.
  message TEXT NOT NULL,
  reason TEXT NOT NULL,
  job_run_id INTEGER,
  import_job_id INTEGER,
  request_id TEXT,
  resent_at INTEGER
) STRICT;

-- Kinds of work that nobody may begin for now. Work in hand is given back at its next step.
CREATE TABLE paused_job_types (
  job_type TEXT PRIMARY KEY,
  paused_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Ids of deleted users, so that none is ever given to somebody else: kept answers, messages under way and audit rows go by
-- the id.
CREATE TABLE retired_user_ids (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT;

-- From here on the id of a log row is when it was written: milliseconds since 1970 times 2048, plus a number within the
-- millisecond, and always higher than every earlier one. So `since` and `until` are a range of ids, and clearing is the beginning of the
-- table, without an index on `at`. Rows from before get such an id.
UPDATE logs SET id = fresh.id
FROM (SELECT id AS stale_id, at * 2048 + row_number() OVER (PARTITION BY at ORDER BY id) AS id FROM logs) AS fresh
WHERE logs.id = fresh.stale_id;

-- Each costs a row written for each log row it holds, so they hold only rows that have such an id, or that are alarming.
-- Within one key they are in the order of the table, newest first when read backwards.
CREATE INDEX logs_of_request ON logs (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX logs_of_user ON logs (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX logs_of_job_run ON logs (job_run_id) WHERE job_run_id IS NOT NULL;
CREATE INDEX logs_of_import ON logs (import_job_id) WHERE import_job_id IS NOT NULL;
CREATE INDEX logs_alarming ON logs (level) WHERE level IN ('warning', 'error');
