//! One user's right to ask Spotify: their tokens, the app that these belong to, and what that app must leave alone.
//!
//! Must stay true: a session comes from one row and costs no write while its token is good; a refresh happens under the
//! row's lease, and what Spotify gave is stored before it is used; only `invalid_grant` ends an authorization; a stored
//! token is sealed for its user and column.

use super::{
    accounts::{self, Granted, Tokens},
    error::{Family, ReauthReason, SpotifyError, TransientCause},
    request,
    retry::EXPIRY_MARGIN_MS,
    settings::SpotifyApp,
};
use crate::{
    app::App,
    domain::{
        ids::UserId,
        instant::{Millis, SECOND_MS},
    },
    sealing::{KeyRing, Secret},
    store::{
        Rows, Statement, StoreError,
        spotify_tokens::{self, ConnectionRow, SealedTokens},
    },
};

/// Longer than an exchange may take, with its statements.
const LEASE_MS: i64 = 60 * SECOND_MS;
/// How soon to look again when somebody else refreshes.
const ELSEWHERE_RETRY_MS: i64 = 3 * SECOND_MS;
/// How often storing a refreshed token is tried: the old one may be good for nothing by then.
const SAVE_ATTEMPTS: usize = 3;

/// What one user's requests need.
#[derive(Debug)]
pub struct Session {
    pub user_id: UserId,
    pub scopes: String,
    client: SpotifyApp,
    pub(super) access_token: Secret,
    access_expires_at: Millis,
    refresh_token: Secret,
    version: i64,
    blocks: Vec<(Family, Millis)>,
}

impl Session {
    /// For a batch of the caller's own: the row that [`Session::read`] reads.
    pub fn select(user: UserId) -> Statement {
        spotify_tokens::select(user)
    }

    /// From the row of [`Session::select`].
    ///
    /// # Errors
    /// The user is not connected, or has to authorize again, or a setting is missing.
    pub fn read(app: &App, rows: Rows) -> Result<Self, SpotifyError> {
        let row: ConnectionRow = rows.first()?.ok_or(SpotifyError::NotConnected)?;
        if let Some(reason) = &row.lost_reason {
            return Err(SpotifyError::NeedsReauth(ReauthReason::parse(reason)));
        }
        let keys = app.config.spotify.keys().map_err(SpotifyError::NotConfigured)?;
        let client = client_of(app, keys, &row)?;
        let open = |column: &str, sealed: &str| {
            let opened = keys.open(&place(column, row.user_id), sealed);
            opened.map_err(|_| SpotifyError::NeedsReauth(ReauthReason::KeyLost))
        };
        Ok(Self {
            user_id: row.user_id,
            client,
            access_token: open("access_token", &row.access_token)?,
            access_expires_at: row.access_expires_at,
            refresh_token: open("refresh_token", &row.refresh_token)?,
            version: row.version,
            blocks: read_blocks(&row.blocks)?,
            scopes: row.scopes,
        })
    }

    /// For callers without a batch of their own.
    ///
    /// # Errors
    /// As [`Session::read`].
    pub async fn load(app: &App, user: UserId) -> Result<Self, SpotifyError> {
        Self::read(app, app.db.run(Self::select(user)).await?)
    }

    /// Whether Spotify may be asked about a family at all.
    ///
    /// # Errors
    /// The block that holds.
    pub fn check_block(&self, family: Family, now: Millis) -> Result<(), SpotifyError> {
        match self.blocks.iter().find(|(blocked, until)| *blocked == family && *until > now) {
            Some((_, until)) => Err(SpotifyError::Blocked { family, until: *until }),
            None => Ok(()),
        }
    }

    pub(super) const fn is_fresh(&self, now: Millis) -> bool {
        self.access_expires_at.minus_ms(EXPIRY_MARGIN_MS).0 > now.0
    }

    /// Remembers a 429, in the store and here, and is the error of it.
    pub(super) async fn block(&mut self, app: &App, family: Family, until: Millis, is_quota: bool) -> SpotifyError {
        self.blocks.retain(|(blocked, _)| *blocked != family);
        self.blocks.push((family, until));
        let reason = if is_quota { "quota" } else { "rate" };
        tracing::warn!(%family, until = until.to_rfc3339(), reason, "Spotify wants to be left alone");
        match app.db.run(spotify_tokens::block(&self.client.client_id, family.as_str(), until, reason)).await {
            Ok(_) => SpotifyError::Blocked { family, until },
            Err(error) => error.into(),
        }
    }

    /// A new access token, stored, in place of the one in hand.
    pub(super) async fn refresh(&mut self, app: &App) -> Result<(), SpotifyError> {
        self.check_block(Family::Accounts, app.now())?;
        let (now, lease) = (app.now(), app.clock.random_hex());
        let claim = spotify_tokens::take_lease(self.user_id, self.version, &lease, now, now.plus_ms(LEASE_MS));
        if !spotify_tokens::happened(&app.db.run(claim).await?) {
            return self.take_over(app).await;
        }
        match accounts::refresh(app, &self.client, &self.refresh_token).await {
            Ok(Granted::Tokens(tokens)) => self.keep(app, &lease, tokens).await,
            Ok(Granted::InvalidGrant) => {
                let reason = ReauthReason::InvalidGrant;
                app.db.run(spotify_tokens::lost(self.user_id, &lease, reason.as_str(), app.now())).await?;
                tracing::warn!(user_id = self.user_id.0, %reason, "A listener has to authorize again");
                Err(SpotifyError::NeedsReauth(reason))
            }
            Ok(Granted::Blocked { until, is_quota }) => {
                let error = self.block(app, Family::Accounts, until, is_quota).await;
                self.release(app, &lease).await;
                Err(error)
            }
            Err(error) => {
                self.release(app, &lease).await;
                Err(error)
            }
        }
    }

    /// Somebody else refreshes, or has: what they stored will do.
    async fn take_over(&mut self, app: &App) -> Result<(), SpotifyError> {
        let stored = Self::load(app, self.user_id).await?;
        if stored.version != self.version && stored.is_fresh(app.now()) {
            *self = stored;
            return Ok(());
        }
        let cause = TransientCause::RefreshedElsewhere;
        Err(request::transient(app, cause, Some(ELSEWHERE_RETRY_MS)))
    }

    /// Stores what Spotify gave, and only then takes it into use.
    async fn keep(&mut self, app: &App, lease: &str, tokens: Tokens) -> Result<(), SpotifyError> {
        let refresh_token = tokens.refresh_token.unwrap_or_else(|| self.refresh_token.clone());
        let scopes = tokens.scopes.unwrap_or_else(|| self.scopes.clone());
        let sealed =
            seal(app, self.user_id, &tokens.access_token, tokens.access_expires_at, &refresh_token, scopes.clone())?;
        let save = spotify_tokens::refreshed(self.user_id, self.version, lease, &sealed, app.now());
        let mut attempt = 1;
        let saved = loop {
            match app.db.run(save.clone()).await {
                Err(StoreError::Retryable(_)) if attempt < SAVE_ATTEMPTS => attempt += 1,
                saved => break saved?,
            }
        };
        if !spotify_tokens::happened(&saved) {
            // The listener logged in anew or was disconnected meanwhile: that is the truth now.
            return self.take_over(app).await;
        }
        self.access_token = tokens.access_token;
        self.access_expires_at = tokens.access_expires_at;
        self.refresh_token = refresh_token;
        self.scopes = scopes;
        self.version += 1;
        Ok(())
    }

    /// The next one need not wait for the lease to run out. If this fails, they will.
    async fn release(&self, app: &App, lease: &str) {
        if let Err(error) = app.db.run(spotify_tokens::release(self.user_id, lease)).await {
            tracing::warn!(user_id = self.user_id.0, %error, "The lease on a user's tokens runs out by itself");
        }
    }
}

/// Tokens for the store.
pub fn seal(
    app: &App,
    user: UserId,
    access_token: &Secret,
    access_expires_at: Millis,
    refresh_token: &Secret,
    scopes: String,
) -> Result<SealedTokens, SpotifyError> {
    let keys = app.config.spotify.keys().map_err(SpotifyError::NotConfigured)?;
    let seal = |column: &str, secret: &Secret| {
        let random = app.clock.secret_bytes().ok_or(SpotifyError::NoRandomness)?;
        Ok::<_, SpotifyError>(keys.seal(&place(column, user), secret.expose(), &random))
    };
    Ok(SealedTokens {
        access_token: seal("access_token", access_token)?,
        access_expires_at,
        refresh_token: seal("refresh_token", refresh_token)?,
        scopes,
    })
}

/// What a sealed column of a user's is good for, and nothing else.
pub fn place(column: &str, user: UserId) -> String {
    format!("spotify/{column}/{user}")
}

/// The app that the tokens belong to: the installation's, or the user's own.
fn client_of(app: &App, keys: &KeyRing, row: &ConnectionRow) -> Result<SpotifyApp, SpotifyError> {
    if let (Some(client_id), Some(sealed)) = (&row.own_client_id, &row.own_client_secret)
        && *client_id == row.client_id
    {
        let client_secret = keys
            .open(&place("client_secret", row.user_id), sealed)
            .map_err(|_| SpotifyError::NeedsReauth(ReauthReason::KeyLost))?;
        return Ok(SpotifyApp { client_id: client_id.clone(), client_secret });
    }
    let installation = app.config.spotify.app().map_err(SpotifyError::NotConfigured)?;
    if installation.client_id == row.client_id {
        return Ok(installation);
    }
    Err(SpotifyError::NeedsReauth(ReauthReason::AppReplaced))
}

fn read_blocks(json: &str) -> Result<Vec<(Family, Millis)>, StoreError> {
    let rows: Vec<(String, Millis)> =
        serde_json::from_str(json).map_err(|error| StoreError::Shape(format!("blocks: {error}")))?;
    Ok(rows.into_iter().filter_map(|(family, until)| Some((Family::parse(&family)?, until))).collect())
}
