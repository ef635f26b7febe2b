-- Imports that account for every row, keep what they refused, and can be cancelled, retried and paused.

-- SHA-256 of the upload in hexadecimal: the same archive again is told, not imported twice.
ALTER TABLE import_jobs ADD COLUMN archive_sha256 TEXT;
-- 'zip', 'json' or 'json_gz'; 'rows' where no archive is uploaded, and its rows come slice by slice.
ALTER TABLE import_jobs ADD COLUMN archive_form TEXT NOT NULL DEFAULT 'zip';
ALTER TABLE import_jobs ADD COLUMN leave_out_incognito INTEGER NOT NULL DEFAULT 0;
-- A paused job is left alone until then; the reason is a sentence for its owner.
ALTER TABLE import_jobs ADD COLUMN resume_at INTEGER;
ALTER TABLE import_jobs ADD COLUMN pause_reason TEXT;
-- {"bucket": plays}: how far the API's end and the export's end lie apart where this import joined the two.
ALTER TABLE import_jobs ADD COLUMN end_distances TEXT NOT NULL DEFAULT '{}';
-- Rows written for imports of one UTC day, for the daily limit of the free plan.
ALTER TABLE import_jobs ADD COLUMN written_on INTEGER;
ALTER TABLE import_jobs ADD COLUMN written_on_day INTEGER NOT NULL DEFAULT 0;

-- An upload is looked for by its digest once, and a job has one: a row more for each import.
CREATE INDEX import_jobs_of_archive ON import_jobs (user_id, archive_sha256) WHERE archive_sha256 IS NOT NULL;

-- Every row that was read went one way. A batch that would say otherwise is undone whole.
ALTER TABLE import_files ADD COLUMN accounted INTEGER
  GENERATED ALWAYS AS (inserted + merged + duplicate + skipped + rejected) VIRTUAL
  CONSTRAINT every_row_is_accounted_for CHECK (accounted = rows_read);

-- Refused rows, the first thousand of a file.
CREATE TABLE import_rejects (
  import_file_id INTEGER NOT NULL,
  row_index INTEGER NOT NULL,
  reason TEXT NOT NULL,
  excerpt TEXT,
  PRIMARY KEY (import_file_id, row_index)
) STRICT, WITHOUT ROWID;
