-- The whole first schema. Rules: STRICT everywhere; instants are integers, milliseconds since 1970 UTC (`_at`); forward
-- only: an applied file is never edited, a parent table is never rebuilt. Every row written is money (100,000 a day on
-- the free plan, one more for each index it touches), so each index below says what it is for.

CREATE TABLE users (
  id INTEGER PRIMARY KEY,
  display_name TEXT NOT NULL,
  timezone TEXT NOT NULL,
  spotify_user_id TEXT,
  -- Grows by one in every batch that changes this user's plays: writers check it (a change in between means: match
  -- again), and kept answers are good for exactly one version.
  plays_version INTEGER NOT NULL DEFAULT 0,
  total_plays INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

-- The id follows from the URI, or from the normalised artist and title where no URI is known: no look-up before a write,
-- and no index for one.
CREATE TABLE tracks (
  id INTEGER PRIMARY KEY,
  uri TEXT,
  -- Normalised artist and title; equal to `id` on rows without a URI.
  song_id INTEGER,
  title TEXT,
  artist_name TEXT,
  album_name TEXT,
  isrc TEXT,
  duration_ms INTEGER,
  -- Rows without a URI: the track with a URI that is the same song, once one is known. Plays are counted there.
  canonical_id INTEGER
) STRICT;

CREATE TABLE artists (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  spotify_id TEXT
) STRICT;

CREATE TABLE track_artists (
  track_id INTEGER NOT NULL,
  position INTEGER NOT NULL,
  artist_id INTEGER NOT NULL,
  PRIMARY KEY (track_id, position)
) STRICT, WITHOUT ROWID;

-- Clustered by listener and time: a window is one range of this one tree, and a new play is one row written. Each of the
-- three sources that saw the play keeps its own instant as the distance from `ended_at`; NULL: this source did not see it.
CREATE TABLE plays (
  user_id INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  track_id INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  ms_played INTEGER,
  extended_offset_ms INTEGER,
  extended_elapsed_ms INTEGER,
  reason_start ANY,
  reason_end ANY,
  flags INTEGER NOT NULL,
  extended_file_id INTEGER,
  account_offset_ms INTEGER,
  account_ms_played INTEGER,
  account_track_id INTEGER,
  account_file_id INTEGER,
  api_offset_ms INTEGER,
  api_track_id INTEGER,
  context_uri TEXT,
  PRIMARY KEY (user_id, ended_at, track_id, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE import_jobs (
  id INTEGER PRIMARY KEY,
  user_id INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'success', 'partial', 'error', 'cancelled')),
  filename TEXT,
  archive_key TEXT,
  file_size_bytes INTEGER NOT NULL,
  error_message TEXT,
  request_id TEXT,
  -- Who works on it and until when; a lease that ran out is taken back by the sweep.
  lease_token TEXT,
  lease_until INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  rows_written INTEGER NOT NULL DEFAULT 0,
  earliest_played_at INTEGER,
  latest_played_at INTEGER,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  updated_at INTEGER NOT NULL,
  completed_at INTEGER
) STRICT;
-- The sweep reads unfinished jobs every minute: this keeps it from reading all the finished ones.
CREATE INDEX import_jobs_unfinished ON import_jobs (status) WHERE status IN ('pending', 'running');

CREATE TABLE import_files (
  id INTEGER PRIMARY KEY,
  import_job_id INTEGER NOT NULL,
  entry_index INTEGER NOT NULL,
  name TEXT NOT NULL,
  format TEXT CHECK (format IN ('extended', 'account', 'not_history')),
  status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'done', 'incomplete', 'unreadable')),
  note TEXT,
  inflated_bytes INTEGER NOT NULL,
  -- The cursor: rows of this file that are settled, and how far that is into the inflated file.
  rows_read INTEGER NOT NULL DEFAULT 0,
  bytes_read INTEGER NOT NULL DEFAULT 0,
  inserted INTEGER NOT NULL DEFAULT 0,
  merged INTEGER NOT NULL DEFAULT 0,
  duplicate INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0,
  rejected INTEGER NOT NULL DEFAULT 0,
  -- {"reason": count} of the two above.
  reasons TEXT NOT NULL DEFAULT '{}'
) STRICT;
-- Every slice moves one file's cursor and the job page reads all of a job's: a handful of rows per import.
CREATE UNIQUE INDEX import_files_of_job ON import_files (import_job_id, entry_index);

CREATE TABLE job_runs (
  id INTEGER PRIMARY KEY,
  job_type TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'success', 'partial', 'error', 'cancelled')),
  user_id INTEGER,
  import_job_id INTEGER,
  started_by TEXT NOT NULL,
  request_id TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  fetched INTEGER NOT NULL DEFAULT 0,
  inserted INTEGER NOT NULL DEFAULT 0,
  merged INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0,
  stop_reason TEXT,
  error_message TEXT,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  completed_at INTEGER
) STRICT;
-- A job finds its run by the import it belongs to.
CREATE UNIQUE INDEX job_runs_of_import ON job_runs (import_job_id) WHERE import_job_id IS NOT NULL;

CREATE TABLE logs (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  service TEXT NOT NULL CHECK (service IN ('http', 'queue', 'cron')),
  level TEXT NOT NULL CHECK (level IN ('debug', 'info', 'warning', 'error')),
  message TEXT NOT NULL,
  user_id INTEGER,
  job_run_id INTEGER,
  import_job_id INTEGER,
  request_id TEXT,
  fields TEXT
) STRICT;

-- Rows that must not exist. A batch opens with `INSERT INTO assertions SELECT 0 WHERE NOT (what it relies on)`: when that
-- no longer holds, the CHECK fails and the whole batch is undone. Nothing is ever stored here.
CREATE TABLE assertions (
  holds INTEGER NOT NULL CONSTRAINT assertion_failed CHECK (holds = 1)
) STRICT;
