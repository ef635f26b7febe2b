-- Collecting plays from Spotify: how it stands with each user, and what the clock did last.

-- Attempts since the run last moved forward; `attempts` counts them all. A run that does not move is given up.
ALTER TABLE job_runs ADD COLUMN stalled_attempts INTEGER NOT NULL DEFAULT 0;

-- One row for each user who is, or was, connected to Spotify. What is shown as the state (idle, syncing, paused, error,
-- needs_reauth) follows from these columns and is stored nowhere, so it cannot disagree with them.
CREATE TABLE sync_states (
  user_id INTEGER PRIMARY KEY,
  -- Not before this instant is the user polled again. NULL: not connected.
  poll_due_at INTEGER,
  -- Who polls this user now, and until when; a lease that ran out is taken back by the sweep.
  lease_token TEXT,
  lease_until INTEGER,
  -- Set while the user is paused.
  paused_at INTEGER,
  -- The last failure, kept until a poll or sync succeeds or somebody resumes.
  error_class TEXT,
  error_message TEXT,
  failed_polls INTEGER NOT NULL DEFAULT 0,
  -- Polls that brought nothing new since the last one that did: they leave no row in `job_runs`.
  quiet_polls INTEGER NOT NULL DEFAULT 0,
  -- Entries of the last poll that could not be read.
  unreadable INTEGER NOT NULL DEFAULT 0,
  last_poll_started_at INTEGER,
  last_poll_completed_at INTEGER,
  -- The newest play that Spotify ever listed; it only moves forward.
  last_poll_latest_played_at INTEGER,
  initial_sync_started_at INTEGER,
  initial_sync_completed_at INTEGER,
  initial_sync_earliest_played_at INTEGER,
  initial_sync_stop_reason TEXT,
  -- When the log last warned that the user will soon have to authorize again: once a day.
  reauthorization_warned_at INTEGER
) STRICT;

-- Polls that came back full of unknown plays: between the two instants Spotify may have listed plays that nobody saw.
CREATE TABLE possible_gaps (
  user_id INTEGER NOT NULL,
  from_at INTEGER NOT NULL,
  to_at INTEGER NOT NULL,
  found_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, from_at)
) STRICT, WITHOUT ROWID;

-- When each entry of the schedule last ran.
CREATE TABLE schedule_ticks (
  name TEXT PRIMARY KEY,
  last_run_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
