-- Tokens with a role, for whoever shall do some of what the admin does. The token itself is never stored, only SHA-256 of it. The admin's
-- own credential is a setting and no row here, so that whatever is revoked, the admin is still let in.
CREATE TABLE role_tokens (
  id INTEGER PRIMARY KEY,
  token_hash TEXT NOT NULL,
  label TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  -- To the hour, as that of assistants' tokens.
  last_used_at INTEGER
) STRICT;
-- Every request with such a token looks it up by its hash.
CREATE UNIQUE INDEX role_tokens_by_hash ON role_tokens (token_hash);

-- The token with a role that a change was made with: id, label and role as they were then. Null: the admin's own credential.
ALTER TABLE audit ADD COLUMN token_json TEXT;
