-- Runs of every kind of job, not of imports alone. A run is worked on under a lease, as an import is; `cursor` is what it
-- needs to go on (JSON, its own kind's shape); whoever started it stands in `started_by` (schedule, admin, upload, login, retry).

ALTER TABLE job_runs ADD COLUMN lease_token TEXT;
ALTER TABLE job_runs ADD COLUMN lease_until INTEGER;
ALTER TABLE job_runs ADD COLUMN cancel_requested INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job_runs ADD COLUMN cursor TEXT;
ALTER TABLE job_runs ADD COLUMN retry_of INTEGER;
ALTER TABLE job_runs ADD COLUMN not_before INTEGER;
ALTER TABLE job_runs ADD COLUMN error_class TEXT;
ALTER TABLE job_runs ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;

-- The sweep and "is one running already?" look at unfinished runs alone.
CREATE INDEX job_runs_unfinished ON job_runs (status) WHERE status IN ('queued', 'running');
