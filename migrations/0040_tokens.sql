-- Tokens of assistants: each opens one user's history. The token itself is never stored, only SHA-256 of it.
CREATE TABLE assistant_tokens (
  id INTEGER PRIMARY KEY,
  user_id INTEGER NOT NULL,
  token_hash TEXT NOT NULL,
  label TEXT NOT NULL,
  -- Names with blanks between: read, ops.
  scopes TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  -- To the hour: a row written for every question would cost more than the question.
  last_used_at INTEGER
) STRICT;
-- Every request with a token looks it up by its hash; tokens are few and seldom written.
CREATE UNIQUE INDEX assistant_tokens_by_hash ON assistant_tokens (token_hash);
