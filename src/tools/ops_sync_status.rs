//! How collecting a user's plays from Spotify stands.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, Right, Tool, answered, question::USER_ID, whose::whose};
use crate::{
    domain::{ids::UserId, instant::Millis},
    error::AppError,
    spotify::retry::reauthorize_by,
    store::sync_states::{self, SyncState, SyncStatus},
};

pub static TOOL: Tool = Tool {
    name: "ops_sync_status",
    alias: "ops.sync_status",
    title: "Sync status",
    description: "Whether a user's plays are being collected from Spotify: the state, when it last asked and will ask next, \
                  the last failure, and until when the user has to authorize again. Use it when recent plays are missing.",
    category: "ops",
    needs: Right::OPS,
    parameters: &[&USER_ID],
    #[cfg(test)]
    output_schema: super::description::schema::<SyncStatusAnswer>,
    run: |context, _| Box::pin(run(context)),
};

/// How it stands.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct SyncStatusAnswer {
    user_id: UserId,
    /// `not_connected`: nothing is collected, since the user never authorized it or was disconnected.
    status: Status,
    /// When Spotify is asked next; not before the user is resumed or has authorized again.
    next_poll_at: Option<Millis>,
    last_poll_started_at: Option<Millis>,
    last_poll_completed_at: Option<Millis>,
    /// The newest play that Spotify ever listed.
    last_poll_latest_played_at: Option<Millis>,
    /// Polls since the last one that brought something.
    quiet_polls: i64,
    initial_sync_started_at: Option<Millis>,
    initial_sync_completed_at: Option<Millis>,
    initial_sync_earliest_played_at: Option<Millis>,
    /// Why the initial sync ended where it did.
    initial_sync_stop_reason: Option<String>,
    /// The last failure, until something succeeds or somebody resumes.
    error_class: Option<String>,
    error_message: Option<String>,
    /// Spotify ends the authorization then: the user has to log in again before.
    reauthorize_by: Option<Millis>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
#[serde(rename_all = "snake_case")]
enum Status {
    Idle,
    Syncing,
    Paused,
    Error,
    NeedsReauth,
    NotConnected,
}

impl From<Option<SyncStatus>> for Status {
    fn from(status: Option<SyncStatus>) -> Self {
        match status {
            None => Self::NotConnected,
            Some(SyncStatus::Idle) => Self::Idle,
            Some(SyncStatus::Syncing) => Self::Syncing,
            Some(SyncStatus::Paused) => Self::Paused,
            Some(SyncStatus::Error) => Self::Error,
            Some(SyncStatus::NeedsReauth) => Self::NeedsReauth,
        }
    }
}

async fn run(context: Context) -> Result<serde_json::Value, AppError> {
    let user = whose(&context.app, context.user).await?;
    let state = sync_states::find(&*context.app.db, user).await?;
    answered(&context, user, &answer(user, state, context.app.now()))
}

fn answer(user_id: UserId, state: Option<SyncState>, now: Millis) -> SyncStatusAnswer {
    let status = Status::from(state.as_ref().and_then(|state| state.status(now)));
    let state = state.unwrap_or_else(|| SyncState::none(user_id));
    SyncStatusAnswer {
        user_id,
        status,
        next_poll_at: state.poll_due_at.map(|due| due.max(now)),
        last_poll_started_at: state.last_poll_started_at,
        last_poll_completed_at: state.last_poll_completed_at,
        last_poll_latest_played_at: state.last_poll_latest_played_at,
        quiet_polls: state.quiet_polls,
        initial_sync_started_at: state.initial_sync_started_at,
        initial_sync_completed_at: state.initial_sync_completed_at,
        initial_sync_earliest_played_at: state.initial_sync_earliest_played_at,
        initial_sync_stop_reason: state.initial_sync_stop_reason,
        error_class: state.error_class,
        error_message: state.error_message,
        reauthorize_by: state.authorized_at.map(reauthorize_by),
    }
}
