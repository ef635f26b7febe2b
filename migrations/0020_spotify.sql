-- Who is connected to Spotify, through which of Spotify's apps, and how long Spotify wants to be left alone. Tokens and
-- secrets are sealed (AES-256-GCM) before they come here; what is in these columns is of no use without the key.

ALTER TABLE users ADD COLUMN spotify_account_id TEXT;
-- One listener for each Spotify account, also when two logins arrive at once. Written at the first login only.
CREATE UNIQUE INDEX users_spotify_account ON users (spotify_account_id) WHERE spotify_account_id IS NOT NULL;
CREATE UNIQUE INDEX users_spotify_user ON users (spotify_user_id) WHERE spotify_user_id IS NOT NULL;

CREATE TABLE spotify_tokens (
  user_id INTEGER PRIMARY KEY,
  -- The app that Spotify gave them to; they are good for no other.
  client_id TEXT NOT NULL,
  scopes TEXT NOT NULL,
  access_token TEXT NOT NULL,
  access_expires_at INTEGER NOT NULL,
  refresh_token TEXT NOT NULL,
  -- Spotify lets a refresh token die six months after this.
  authorized_at INTEGER NOT NULL,
  -- Why only the listener can help now: they have to authorize again. NULL while the tokens work.
  lost_reason TEXT,
  lost_at INTEGER,
  -- Grows with every token that is stored: who waited for another's refresh sees by it that it happened.
  version INTEGER NOT NULL DEFAULT 1,
  -- Who refreshes at the moment, and until when nobody else may.
  lease_token TEXT,
  lease_until INTEGER NOT NULL DEFAULT 0,
  updated_at INTEGER NOT NULL
) STRICT;

-- Spotify apps of single users, for those who do not use the installation's.
CREATE TABLE spotify_credentials (
  user_id INTEGER PRIMARY KEY,
  client_id TEXT NOT NULL,
  client_secret TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

-- Until when an app must not ask a family of endpoints. Quotas count per app, so a block holds for all its users.
CREATE TABLE spotify_blocks (
  client_id TEXT NOT NULL,
  family TEXT NOT NULL,
  blocked_until INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (client_id, family)
) STRICT, WITHOUT ROWID;

-- Logins that came back once already, until they are too old to come back at all.
CREATE TABLE spent_logins (
  login_id TEXT PRIMARY KEY,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
