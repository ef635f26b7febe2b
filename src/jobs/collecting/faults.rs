//! What went wrong with a poll or sync: a class and a sentence to keep, and when to try again.
//!
//! Must stay true: a fault carries no token, no SQL and nothing of what Spotify sent.

use crate::{
    app::App,
    domain::instant::Millis,
    error::AppError,
    jobs::runs,
    spotify::{
        error::SpotifyError,
        retry::{backoff_ms, chance},
    },
    store::{StoreError, job_runs::Fault},
};

/// Anything that ends a poll or a step of a sync without its result.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error(transparent)]
    Spotify(SpotifyError),
    #[error(transparent)]
    App(AppError),
}

impl From<SpotifyError> for SyncError {
    fn from(error: SpotifyError) -> Self {
        match error {
            SpotifyError::Store(error) => Self::App(error.into()),
            error => Self::Spotify(error),
        }
    }
}

impl From<AppError> for SyncError {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

impl From<StoreError> for SyncError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

impl SyncError {
    /// The lease was taken back: somebody else goes on, and nothing may be written.
    pub const fn is_lost_lease(&self) -> bool {
        matches!(self, Self::App(AppError::Store(StoreError::AssertionFailed)))
    }

    pub fn fault(&self) -> Fault {
        match self {
            Self::Spotify(error) => Fault { class: error.class(), sentence: sentence(&error.to_string()) },
            Self::App(error) => runs::fault_of(error),
        }
    }

    /// When it may be worth another try, after so many failures in a row, this one included.
    pub fn try_again_at(&self, app: &App, failures: u32) -> Millis {
        let wait_ms = backoff_ms(failures, chance(&app.clock.random_hex()));
        match self {
            Self::Spotify(SpotifyError::Blocked { until, .. }) => *until,
            Self::Spotify(SpotifyError::Transient { retry_after_ms, .. }) => {
                app.now().plus_ms(wait_ms.max(*retry_after_ms))
            }
            _ => app.now().plus_ms(wait_ms),
        }
    }

    /// Whether it will pass by itself, so that waiting longer and longer only loses plays.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::App(_) | Self::Spotify(SpotifyError::Transient { .. } | SpotifyError::Malformed { .. }))
    }
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    let mut sentence: String = first.to_uppercase().chain(letters).collect();
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}
