//! The initial sync of a user: pages back through what Spotify still lists, as far as the settings want it.
//!
//! Must stay true: a page's plays, the cursor and the counts are one batch, under the lease; a pause or a cancellation is
//! seen before every page; it goes on at its cursor after whatever stopped it, and says in the end why it stopped.

use serde::{Deserialize, Serialize};

use super::{
    faults::SyncError,
    listed::Listed,
    poll::{counts, news},
};
use crate::{
    app::App,
    domain::{ids::UserId, instant::Millis},
    error::AppError,
    jobs::{
        runs::RunEnd,
        take_up::{TakeUp, TakenUp, take_up},
    },
    spotify::{error::SpotifyError, player, session::Session},
    store::{
        Statement, StoreError,
        job_runs::{ClaimedRun, Counts, Heartbeat, MAX_STALLED_ATTEMPTS, RunLease, RunStatus},
        sync_states::{self, SyncState},
    },
};

/// Pages that one message takes: some four calls each, and the platform allows 50 on its free plan.
const PAGES_PER_MESSAGE: u32 = 8;

/// How far it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// The earliest play so far: the next page is before it.
    before: Option<i64>,
    requests: u64,
}

/// What one page led to.
enum Step {
    Next(Cursor),
    End(RunEnd),
}

/// Works on an initial sync for as long as one message may.
pub async fn work(app: &App, run: &ClaimedRun) -> Result<RunEnd, AppError> {
    let user = run.user.ok_or(AppError::Internal("an initial sync without a user"))?;
    let stored = run.cursor.as_deref().and_then(|cursor| serde_json::from_str(cursor).ok());
    let mut cursor: Cursor = stored.unwrap_or_default();
    let sync = InitialSync { app, user, lease: &run.lease };
    let mut attempts = run.stalled_attempts;
    for _ in 0..PAGES_PER_MESSAGE {
        match sync.step(cursor).await {
            Ok(Step::Next(next)) => cursor = next,
            Ok(Step::End(end)) => {
                if end == RunEnd::Settled {
                    super::send_poll(app, user).await;
                }
                return Ok(end);
            }
            Err(SyncError::App(error)) => return Err(error),
            Err(error) => return Ok(sync.after(&error, attempts).await),
        }
        attempts = 1;
        app.clock.breathe().await;
    }
    Ok(RunEnd::ToBeContinued)
}

struct InitialSync<'a> {
    app: &'a App,
    user: UserId,
    lease: &'a RunLease,
}

impl InitialSync<'_> {
    async fn step(&self, cursor: Cursor) -> Result<Step, SyncError> {
        let now = self.app.now();
        let statements = vec![self.lease.beat(now), sync_states::select(self.user), Session::select(self.user)];
        let mut results = self.app.db.batch(statements).await?;
        let connection = results.pop().unwrap_or_default();
        let state: Option<SyncState> = results.pop().unwrap_or_default().first()?;
        let is_paused = state.is_none_or(|state| state.paused_at.is_some());
        match RunLease::read_beat(results.pop().unwrap_or_default())? {
            Heartbeat::Lost => return Err(StoreError::AssertionFailed.into()),
            Heartbeat::CancelRequested => return Ok(Step::End(RunEnd::cancelled())),
            Heartbeat::Held if !is_paused => {}
            Heartbeat::Held | Heartbeat::Paused => {
                return Ok(Step::End(RunEnd::Waits { until: now, stop_reason: "paused", fault: None }));
            }
        }
        if cursor.requests >= self.app.config.collecting.initial_sync_max_requests {
            return self.end_without_a_page("max_requests", Counts::default()).await;
        }
        let mut session = Session::read(self.app, connection)?;
        let page = player::recently_played(self.app, &mut session, cursor.before.map(Millis)).await?;
        let listed = Listed::of(page, self.app.now());
        let Some(earliest) = listed.earliest else {
            let fetched = Counts { fetched: listed.fetched, skipped: listed.fetched, ..Counts::default() };
            return self.end_without_a_page("empty_batch", fetched).await;
        };
        let next = Cursor { before: Some(earliest.0), requests: cursor.requests + 1 };
        let stop_reason = self.stop_reason(cursor, earliest);
        let what = TakeUp { user: self.user, observations: &listed.observations, tracks: &[] };
        let accounts = |taken_up: &TakenUp| self.accounts(&listed, taken_up, next, stop_reason);
        take_up(self.app, &what, &[self.lease.assertion()], &accounts).await?;
        Ok(if stop_reason.is_some() { Step::End(RunEnd::Settled) } else { Step::Next(next) })
    }

    fn stop_reason(&self, cursor: Cursor, earliest: Millis) -> Option<&'static str> {
        let oldest_wanted = self.app.now().minus_ms(self.app.config.collecting.initial_sync_max_ms);
        if cursor.before.is_some_and(|before| earliest.0 >= before) {
            Some("no_progress")
        } else if earliest < oldest_wanted {
            Some("max_days")
        } else {
            None
        }
    }

    /// What the batch of a page says of the sync itself.
    fn accounts(
        &self,
        listed: &Listed,
        taken_up: &TakenUp,
        next: Cursor,
        stop_reason: Option<&'static str>,
    ) -> Vec<Statement> {
        let now = self.app.now();
        let cursor = serde_json::to_string(&next).unwrap_or_default();
        let mut statements = news(listed, taken_up);
        statements.push(self.lease.progress(counts(listed, taken_up), Some(&cursor), now));
        statements.push(sync_states::synced_back(self.user, listed.earliest, listed.latest, now));
        if let Some(stop_reason) = stop_reason {
            statements.extend(self.end(stop_reason));
        }
        statements
    }

    fn end(&self, stop_reason: &'static str) -> [Statement; 2] {
        let now = self.app.now();
        [
            sync_states::initial_sync_completed(self.user, stop_reason, now),
            self.lease.finish(RunStatus::Success, Some(stop_reason), None, now),
        ]
    }

    async fn end_without_a_page(&self, stop_reason: &'static str, done: Counts) -> Result<Step, SyncError> {
        let now = self.app.now();
        let mut statements = vec![
            self.lease.assertion(),
            self.lease.progress(done, None, now),
            sync_states::synced_back(self.user, None, None, now),
        ];
        statements.extend(self.end(stop_reason));
        self.app.db.batch(statements).await?;
        Ok(Step::End(RunEnd::Settled))
    }

    /// How the run is left after Spotify gave no page.
    async fn after(&self, error: &SyncError, attempts: i64) -> RunEnd {
        let fault = error.fault();
        tracing::warn!(user_id = self.user.0, job_run_id = self.lease.run.0, class = fault.class, %error,
            "An initial sync got no further");
        if let Err(error) = self.app.db.run(sync_states::fault_of_sync(self.user, &fault)).await {
            tracing::error!(user_id = self.user.0, %error, "Why a sync got no further could not be kept");
        }
        let failures = u32::try_from(attempts).unwrap_or(1);
        let until = error.try_again_at(self.app, failures);
        match error {
            SyncError::Spotify(SpotifyError::Blocked { .. }) => {
                RunEnd::Waits { until, stop_reason: "rate_limited", fault: Some(fault) }
            }
            error if error.is_passing() && attempts < MAX_STALLED_ATTEMPTS => {
                RunEnd::Waits { until, stop_reason: "failed", fault: Some(fault) }
            }
            _ => RunEnd::Finished { status: RunStatus::Error, stop_reason: Some("failed"), fault: Some(fault) },
        }
    }
}
