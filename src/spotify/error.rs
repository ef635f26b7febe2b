//! What can come of asking Spotify, in the kinds that callers treat differently.
//!
//! Must stay true: no token, code, secret or address is in any of them, so that each may be logged, stored and shown.

use std::fmt;

use crate::{config::SettingError, domain::instant::Millis, error::AppError, store::StoreError};

/// Endpoints that Spotify counts together, as far as is known; a block of one leaves the others alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Recently played.
    Player,
    /// Top artists and tracks.
    Top,
    Search,
    /// Who the listener is.
    Profile,
    /// Tokens.
    Accounts,
}

impl Family {
    pub const ALL: [Self; 5] = [Self::Player, Self::Top, Self::Search, Self::Profile, Self::Accounts];

    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Player => "player",
            Self::Top => "top",
            Self::Search => "search",
            Self::Profile => "profile",
            Self::Accounts => "accounts",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.as_str() == text)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Player => "recently played tracks",
            Self::Top => "top artists and tracks",
            Self::Search => "search",
            Self::Profile => "the listener's profile",
            Self::Accounts => "tokens",
        })
    }
}

/// Why only the listener can help: they have to authorize again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReauthReason {
    /// Spotify knows the refresh token no more: six months are over, or the listener took it back.
    InvalidGrant,
    /// The app that the tokens belong to is no longer set up here.
    AppReplaced,
    /// The tokens were sealed with a key that is gone.
    KeyLost,
    /// A word that this version does not know.
    Other,
}

impl ReauthReason {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidGrant => "invalid_grant",
            Self::AppReplaced => "app_replaced",
            Self::KeyLost => "key_lost",
            Self::Other => "other",
        }
    }

    pub fn parse(text: &str) -> Self {
        let known = [Self::InvalidGrant, Self::AppReplaced, Self::KeyLost];
        known.into_iter().find(|reason| reason.as_str() == text).unwrap_or(Self::Other)
    }
}

impl fmt::Display for ReauthReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::InvalidGrant => {
                "Spotify no longer accepts the authorization (it ends after six months, or was taken back)"
            }
            Self::AppReplaced => "the Spotify app of the authorization is no longer set up here",
            Self::KeyLost => "the stored tokens were encrypted with a key that is no longer set",
            Self::Other => "the authorization is no longer good",
        })
    }
}

/// What went wrong for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransientCause {
    /// No answer in time.
    TimedOut,
    /// No connection, or one that broke.
    NotReached,
    /// 5xx.
    ServerError(u16),
    /// 401 even with a token that is a moment old.
    TokenNotTaken,
    /// Somebody else refreshes this user's tokens at this moment.
    RefreshedElsewhere,
}

impl fmt::Display for TransientCause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => formatter.write_str("it did not answer in time"),
            Self::NotReached => formatter.write_str("it was not reached"),
            Self::ServerError(status) => write!(formatter, "it answered {status}"),
            Self::TokenNotTaken => formatter.write_str("it did not take a fresh token"),
            Self::RefreshedElsewhere => formatter.write_str("the tokens are being refreshed at this moment"),
        }
    }
}

/// Why Spotify will not do it, however often it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 403: the authorization does not cover this.
    MissingScope,
    /// 403: the listener is not on the app's list of users.
    NotOnAllowList,
    /// 403: whoever owns the app has no Premium.
    OwnerNeedsPremium,
    /// 403 without a known reason: most likely an endpoint that is closed to this app.
    Forbidden,
    /// The token endpoint does not know the client id or its secret.
    WrongClient,
    /// Any other 4xx.
    Status(u16),
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingScope => formatter.write_str("the authorization does not cover it; authorize again"),
            Self::NotOnAllowList => formatter.write_str("the listener is not on the Spotify app's list of users"),
            Self::OwnerNeedsPremium => formatter.write_str("the owner of the Spotify app needs Spotify Premium"),
            Self::Forbidden => formatter.write_str("403: the Spotify app may not use it"),
            Self::WrongClient => formatter.write_str("the Spotify app's client id or secret is wrong"),
            Self::Status(status) => write!(formatter, "it answered {status}"),
        }
    }
}

/// Why there is no answer from Spotify.
#[derive(Debug, thiserror::Error)]
pub enum SpotifyError {
    #[error("{0}")]
    NotConfigured(SettingError),
    #[error("the user is not connected to Spotify")]
    NotConnected,
    /// Terminal for this user, until they authorize again.
    #[error("the user has to authorize again: {0}")]
    NeedsReauth(ReauthReason),
    /// The app asked enough for now. It is stored: nobody asks before `until`.
    #[error("Spotify wants no questions about {family} before {}", until.to_rfc3339())]
    Blocked { family: Family, until: Millis },
    /// Worth trying again, not before `retry_after_ms` from now. See [`super::retry::backoff_ms`] for later attempts.
    #[error("Spotify cannot be asked for now: {cause}")]
    Transient { cause: TransientCause, retry_after_ms: i64 },
    #[error("Spotify refused {family}: {why}")]
    Refused { family: Family, why: Refusal },
    #[error("Spotify's answer about {family} cannot be understood: {what}")]
    Malformed { family: Family, what: &'static str },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the platform gives no randomness")]
    NoRandomness,
}

impl SpotifyError {
    /// As an assistant is told of it: what would help, if anything would.
    pub fn for_tools(self) -> AppError {
        match self {
            Self::Store(error) => error.into(),
            Self::NotConfigured(error) => AppError::NotConfigured(error),
            Self::NoRandomness => AppError::Internal("the platform gives no randomness"),
            Self::NotConnected | Self::NeedsReauth(_) => {
                AppError::Conflict(format!("This cannot be asked of Spotify: {self}. Log in at /auth/login."))
            }
            error => AppError::Upstream(format!("{error}.")),
        }
    }

    /// One word for `job_runs.error_class` and for filters.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::NotConfigured(_) => "not_configured",
            Self::NotConnected => "not_connected",
            Self::NeedsReauth(_) => "needs_reauth",
            Self::Blocked { .. } => "blocked",
            Self::Transient { .. } => "transient",
            Self::Refused { .. } => "refused",
            Self::Malformed { .. } => "malformed",
            Self::Store(_) => "database",
            Self::NoRandomness => "platform",
        }
    }
}
