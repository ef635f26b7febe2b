//! Users as they are shown: in the list, and with everything known.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    domain::{ids::UserId, instant::Millis},
    http::admin_spotify::ConnectionView,
    spotify::retry::reauthorize_by,
    store::{
        Statement, StoreError,
        rows::integer_bool,
        spotify_tokens::{self, ConnectionSummary},
        sync_states::{self, SyncState, SyncStatus},
        users::{self, User},
    },
};

/// A user as the list shows them.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserSummary {
    id: UserId,
    spotify_user_id: Option<String>,
    display_name: String,
    timezone: String,
    /// Null for somebody who is not connected to Spotify.
    sync_status: Option<SyncStatus>,
    last_poll_completed_at: Option<Millis>,
    initial_sync_completed_at: Option<Millis>,
    /// When Spotify ends the authorization.
    reauthorize_by: Option<Millis>,
    total_plays: i64,
    created_at: Millis,
    updated_at: Millis,
}

fn summary(user: User, sync: &SyncState, now: Millis) -> UserSummary {
    UserSummary {
        id: user.id,
        spotify_user_id: user.spotify_user_id,
        display_name: user.display_name,
        timezone: user.timezone,
        sync_status: sync.status(now),
        last_poll_completed_at: sync.last_poll_completed_at,
        initial_sync_completed_at: sync.initial_sync_completed_at,
        reauthorize_by: sync.authorized_at.map(reauthorize_by),
        total_plays: user.total_plays,
        created_at: user.created_at,
        updated_at: user.updated_at,
    }
}

/// A page of users with how it stands with each; and how many there are.
pub async fn page(app: &App, limit: u32, offset: u32) -> Result<(Vec<UserSummary>, i64), StoreError> {
    let (users, total) = users::list(&*app.db, limit, offset).await?;
    let states: Vec<SyncState> = app.db.run(sync_states::select_all()).await?.all()?;
    let mut states: HashMap<UserId, SyncState> = states.into_iter().map(|state| (state.user_id, state)).collect();
    let show = |user: User| {
        let sync = states.remove(&user.id).unwrap_or_else(|| SyncState::none(user.id));
        summary(user, &sync, app.now())
    };
    Ok((users.into_iter().map(show).collect(), total))
}

/// A user with everything known.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserDetail {
    #[serde(flatten)]
    summary: UserSummary,
    paused_at: Option<Millis>,
    /// When the next poll is due.
    poll_due_at: Option<Millis>,
    last_poll_started_at: Option<Millis>,
    /// The newest play that Spotify ever listed.
    last_poll_latest_played_at: Option<Millis>,
    initial_sync_started_at: Option<Millis>,
    initial_sync_earliest_played_at: Option<Millis>,
    initial_sync_stop_reason: Option<String>,
    /// Polls that failed since the last one that did not.
    failed_polls: i64,
    /// The last failure, until something succeeds or somebody resumes.
    error_class: Option<String>,
    error_message: Option<String>,
    /// When the access token in hand ends; it is renewed by itself.
    token_expires_at: Option<Millis>,
    /// The connection to Spotify, without any token.
    token: Option<ConnectionView>,
    has_custom_credentials: bool,
    counts: Counts,
}

/// How much there is of what is the user's.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Counts {
    imports: i64,
    job_runs: i64,
    assistant_tokens: i64,
    oauth_grants: i64,
    possible_gaps: i64,
}

#[derive(Deserialize)]
struct Extras {
    #[serde(flatten)]
    counts: Counts,
    #[serde(deserialize_with = "integer_bool")]
    has_custom_credentials: bool,
}

/// Everything known of a user; `None`: no such user.
pub async fn detail(app: &App, id: UserId) -> Result<Option<UserDetail>, StoreError> {
    const EXTRAS: &str = "SELECT (SELECT count(*) FROM import_jobs WHERE user_id = ?1) AS imports, \
        (SELECT count(*) FROM job_runs WHERE user_id = ?1) AS job_runs, \
        (SELECT count(*) FROM assistant_tokens WHERE user_id = ?1) AS assistant_tokens, \
        (SELECT count(*) FROM oauth_grants WHERE user_id = ?1) AS oauth_grants, \
        (SELECT count(*) FROM possible_gaps WHERE user_id = ?1) AS possible_gaps, \
        EXISTS (SELECT 1 FROM spotify_credentials WHERE user_id = ?1) AS has_custom_credentials";
    let statements = vec![
        users::select(id),
        sync_states::select(id),
        spotify_tokens::select_summary(id),
        Statement::new(EXTRAS).bind(id),
    ];
    let mut results = app.db.batch(statements).await?.into_iter();
    let mut next = || results.next().unwrap_or_default();
    let Some(user) = next().first::<User>()? else { return Ok(None) };
    let sync: SyncState = next().first()?.unwrap_or_else(|| SyncState::none(id));
    let connection: Option<ConnectionSummary> = next().first()?;
    let extras: Option<Extras> = next().first()?;
    let extras = extras.ok_or_else(|| StoreError::Shape("no counts for a user".to_owned()))?;
    Ok(Some(UserDetail {
        summary: summary(user, &sync, app.now()),
        paused_at: sync.paused_at,
        poll_due_at: sync.poll_due_at,
        last_poll_started_at: sync.last_poll_started_at,
        last_poll_latest_played_at: sync.last_poll_latest_played_at,
        initial_sync_started_at: sync.initial_sync_started_at,
        initial_sync_earliest_played_at: sync.initial_sync_earliest_played_at,
        initial_sync_stop_reason: sync.initial_sync_stop_reason,
        failed_polls: sync.failed_polls,
        error_class: sync.error_class,
        error_message: sync.error_message,
        token_expires_at: connection.as_ref().map(|row| row.access_expires_at),
        token: connection.map(ConnectionView::from),
        has_custom_credentials: extras.has_custom_credentials,
        counts: extras.counts,
    }))
}
