//! Collecting plays from Spotify: the initial sync of a user, and then polls, for years.
//!
//! Must stay true: every user is polled by a message of their own, so that nobody waits for anybody; a poll always asks for
//! the last 50 plays, without a cursor, so that plays which Spotify lists late are taken, too; what goes wrong is in the
//! user's sync state and in a row of `job_runs`, whatever else was undone.

mod faults;
mod initial_sync;
mod listed;
mod poll;
#[cfg(test)]
mod tests;

pub use self::{initial_sync::work as sync_initially, poll::run as poll};
use super::message::JobMessage;
use crate::{
    app::App,
    domain::{
        ids::UserId,
        instant::{DAY_MS, MINUTE_MS, Millis},
    },
    error::AppError,
    spotify::retry::reauthorize_by,
    store::{
        Statement,
        job_runs::{self, JobKind},
        sync_states,
    },
};

/// The log warns once a day from this long before a listener has to authorize again.
const WARNED_BEFORE_MS: i64 = 30 * DAY_MS;

/// For the batch of a login: the user is collected from now on. Call [`start`] once it is written.
pub fn connected(app: &App, user: UserId, request_id: Option<&str>) -> Vec<Statement> {
    let next_due_at = next_due_at(app, app.now());
    let wants_initial_sync = app.config.collecting.initial_sync_enabled;
    sync_states::connected(user, wants_initial_sync, request_id, next_due_at, app.now())
}

/// Sends the messages of what waits for a user. Should that fail, the sweep sends them.
pub async fn start(app: &App, user: UserId) {
    match job_runs::queued(&*app.db, JobKind::InitialSync, user).await {
        Ok(Some(run)) => super::runs::send(app, run).await,
        Ok(None) => {}
        Err(error) => tracing::warn!(user_id = user.0, %error, "The sweep will send what waits for a user"),
    }
    send_poll(app, user).await;
}

/// Sends a user's poll. Should that fail, the next sweep sends it.
async fn send_poll(app: &App, user: UserId) {
    if let Err(error) = app.queue.send(&JobMessage::Poll { user_id: user }).await {
        tracing::warn!(user_id = user.0, %error, "A poll's message could not be sent; the sweep will send it");
    }
}

/// When the poll after one that began `now` is due. Ticks come with the minute, so an interval is counted from its beginning.
fn next_due_at(app: &App, now: Millis) -> Millis {
    now.minus_ms(now.0.rem_euclid(MINUTE_MS)).plus_ms(app.config.collecting.poll_interval_ms)
}

/// Sends a message to every user whose poll is due, and takes back polls whose worker fell silent.
pub async fn sweep(app: &App, now: Millis) {
    match sync_states::due(&*app.db, now).await {
        Ok(due) => {
            for user in due {
                send_poll(app, user).await;
            }
        }
        Err(error) => tracing::error!(%error, "The sweep could not look for polls that are due"),
    }
}

/// Warns in the log of listeners who soon have to authorize again.
pub async fn warn_of_reauthorization(app: &App, now: Millis) {
    let warned = async {
        let states: Vec<sync_states::SyncState> = app.db.run(sync_states::select_all()).await?.all()?;
        let mut warned = Vec::new();
        for state in states.iter().filter(|state| state.lost_reason.is_none()) {
            let Some(by) = state.authorized_at.map(reauthorize_by) else { continue };
            let is_due = state.reauthorization_warned_at.is_none_or(|at| now.since_ms(at) >= DAY_MS - MINUTE_MS);
            let left_ms = by.since_ms(now);
            if is_due && left_ms <= WARNED_BEFORE_MS {
                let days_left = left_ms.max(0) / DAY_MS;
                let reauthorize_by = by.to_rfc3339();
                tracing::warn!(
                    user_id = state.user_id.0,
                    days_left,
                    reauthorize_by,
                    "A listener has to authorize again soon"
                );
                warned.push(state.user_id);
            }
        }
        if !warned.is_empty() {
            app.db.run(sync_states::reauthorization_warned(&warned, now)).await?;
        }
        Ok::<_, AppError>(())
    };
    if let Err(error) = warned.await {
        tracing::error!(%error, "Who has to authorize again soon could not be looked up");
    }
}
