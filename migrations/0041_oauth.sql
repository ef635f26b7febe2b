-- OAuth for MCP connectors. A grant is one row from the sign-in that asks for consent until it is over, so that every step
-- (consent, exchange of the code, each rotation) is one guarded update of a row found by its primary key: every secret carries the
-- id. Secrets are stored as SHA-256 in hexadecimal digits. No index: both tables stay small, and each would be paid for at every step.

CREATE TABLE oauth_grants (
  id INTEGER PRIMARY KEY,
  -- asked: signed in, the question is on the screen; given: the code is on its way; active: tokens were issued.
  step TEXT NOT NULL CHECK (step IN ('asked', 'given', 'active')),
  client_id TEXT NOT NULL,
  client_name TEXT,
  redirect_uri TEXT NOT NULL,
  resource TEXT NOT NULL,
  scopes TEXT NOT NULL,
  code_challenge TEXT NOT NULL,
  -- What the client wants to hear again; cleared with the answer.
  state TEXT,
  -- Of the browser's cookie and the page's hidden field together; cleared with the answer.
  consent_hash TEXT,
  user_id INTEGER,
  -- Random and the same in every secret of this grant: it tells a secret that was used up from one that never was.
  family_hash TEXT,
  code_hash TEXT,
  access_hash TEXT,
  access_expires_at INTEGER,
  -- The one before stays good for its time: a client with two requests in flight is not logged out by refreshing.
  previous_access_hash TEXT,
  previous_access_expires_at INTEGER,
  refresh_hash TEXT,
  -- The end of the present step: of the page, of the code, of the refresh token.
  expires_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  given_at INTEGER,
  last_used_at INTEGER,
  revoked_at INTEGER,
  revoked_because TEXT CHECK (revoked_because IN ('admin', 'client', 'code_replayed', 'refresh_replayed'))
) STRICT;

-- Clients that registered themselves. One that no grant names goes after a day.
CREATE TABLE oauth_clients (
  id TEXT PRIMARY KEY,
  name TEXT,
  redirect_uris TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
