//! One poll of one user: claim, ask for the last 50 plays, take them up.
//!
//! Must stay true: plays, sync state and the row in `job_runs` are one batch, under the lease; a poll costs at most five
//! calls of the database and two of Spotify; one that brings nothing new writes two rows, and none of its own in `job_runs`.

use super::{faults::SyncError, listed::Listed, next_due_at};
use crate::{
    app::App,
    domain::{ids::UserId, instant::Millis, matching::Outcome},
    jobs::{
        Verdict,
        take_up::{TakeUp, TakenUp, take_up},
    },
    spotify::{
        player::{self, MAX_RECENT},
        session::Session,
    },
    store::{
        Rows, Statement, StoreError, api_tracks,
        job_runs::{self, Counts, EndedRun, Fault, JobKind, RunStatus, Trigger},
        possible_gaps::{self, PossibleGap},
        sync_states::{self, ClaimedPoll, PollOutcome},
    },
};

/// Polls a user, if they are due and nobody else does it.
pub async fn run(app: &App, user: UserId) -> Verdict {
    let poll = Poll { app, user, token: app.clock.random_hex(), started_at: app.now() };
    let (claimed, connection) = match poll.claim().await {
        Ok(Some(claimed)) => claimed,
        // Not due, paused, or another's: the message has done its duty.
        Ok(None) => return Verdict::Done,
        Err(error) => {
            tracing::error!(user_id = user.0, %error, "A poll could not be claimed");
            return Verdict::Retry { after_seconds: 10 };
        }
    };
    match poll.ask_and_take_up(&claimed, connection).await {
        Ok(()) => {}
        Err(error) if error.is_lost_lease() => {
            tracing::warn!(user_id = user.0, "A poll took too long and was taken back");
        }
        Err(error) => poll.fail(&claimed, &error).await,
    }
    Verdict::Done
}

struct Poll<'a> {
    app: &'a App,
    user: UserId,
    token: String,
    started_at: Millis,
}

impl Poll<'_> {
    async fn claim(&self) -> Result<Option<(ClaimedPoll, Rows)>, StoreError> {
        let claim = sync_states::claim_poll(self.user, &self.token, self.started_at);
        let mut results = self.app.db.batch(vec![claim, Session::select(self.user)]).await?;
        let connection = results.pop().unwrap_or_default();
        let claimed = sync_states::read_claimed(results.pop().unwrap_or_default())?;
        Ok(claimed.map(|claimed| (claimed, connection)))
    }

    async fn ask_and_take_up(&self, claimed: &ClaimedPoll, connection: Rows) -> Result<(), SyncError> {
        let mut session = Session::read(self.app, connection)?;
        let page = player::recently_played(self.app, &mut session, None).await?;
        let listed = Listed::of(page, self.app.now());
        let what = TakeUp { user: self.user, observations: &listed.observations, tracks: &[] };
        let guards = [sync_states::held(self.user, &self.token)];
        let accounts = |taken_up: &TakenUp| self.accounts(claimed, &listed, taken_up);
        let taken_up = take_up(self.app, &what, &guards, &accounts).await?;
        let (inserted, merged) = (taken_up.inserted, taken_up.merged);
        tracing::debug!(user_id = self.user.0, inserted, merged, "A user was polled");
        Ok(())
    }

    /// What the batch of the plays says of the poll itself.
    fn accounts(&self, claimed: &ClaimedPoll, listed: &Listed, taken_up: &TakenUp) -> Vec<Statement> {
        let now = self.app.now();
        let is_news = taken_up.inserted + taken_up.merged > 0;
        let has_new_faults = listed.unreadable > claimed.unreadable;
        let is_told = is_news || has_new_faults;
        let outcome = PollOutcome {
            latest_played_at: listed.latest,
            is_told,
            unreadable: listed.unreadable,
            next_due_at: next_due_at(self.app, self.started_at),
        };
        let mut statements = news(listed, taken_up);
        statements.push(sync_states::polled(self.user, &self.token, outcome, now));
        if let Some(gap) = possible_gap(claimed, listed, taken_up) {
            statements.push(possible_gaps::insert(self.user, gap, now));
        }
        if is_told {
            let fault = has_new_faults.then(|| Fault {
                class: "unreadable_entries",
                sentence: format!("{} of {} entries could not be read.", listed.unreadable, listed.fetched),
            });
            let status = if fault.is_some() { RunStatus::Partial } else { RunStatus::Success };
            statements.push(self.told(claimed, status, counts(listed, taken_up), fault.as_ref()));
        }
        statements
    }

    fn told(&self, claimed: &ClaimedPoll, status: RunStatus, counts: Counts, fault: Option<&Fault>) -> Statement {
        let run = EndedRun {
            kind: JobKind::Poll,
            user: self.user,
            trigger: Trigger::Schedule,
            status,
            attempts: claimed.failed_polls + 1,
            counts,
            stop_reason: None,
            fault,
            request_id: None,
            started_at: self.started_at,
        };
        job_runs::insert_ended(&run, self.app.now())
    }

    /// Keeps what went wrong, apart from everything else. Should that fail, too, the sweep sees that the poll never ended.
    async fn fail(&self, claimed: &ClaimedPoll, error: &SyncError) {
        let (user_id, fault) = (self.user.0, error.fault());
        tracing::warn!(user_id, class = fault.class, %error, "A poll failed");
        let try_again_at = error.try_again_at(self.app, claimed.failed_polls + 1);
        let regular = next_due_at(self.app, self.started_at);
        let next_due_at = if error.is_passing() { try_again_at.min(regular) } else { try_again_at };
        let now = self.app.now();
        let statements = vec![
            sync_states::held(self.user, &self.token),
            sync_states::failed(self.user, &self.token, &fault, next_due_at, now),
            self.told(claimed, RunStatus::Error, Counts::default(), Some(&fault)),
        ];
        match self.app.db.batch(statements).await {
            Ok(_) | Err(StoreError::AssertionFailed) => {}
            Err(error) => {
                tracing::error!(user_id, %error, "That a poll failed could not be written; the sweep will see");
            }
        }
    }
}

/// Statements for the tracks of plays that were not known before.
pub(super) fn news(listed: &Listed, taken_up: &TakenUp) -> Vec<Statement> {
    let is_new = |outcome: &Outcome| *outcome != Outcome::Duplicate;
    let new = listed.observations.iter().zip(&taken_up.outcomes).filter(|(_, outcome)| is_new(outcome));
    let mut tracks: Vec<_> = new.filter_map(|(observation, _)| listed.tracks.get(&observation.track)).collect();
    tracks.sort_unstable_by_key(|track| track.facts.id);
    tracks.dedup_by_key(|track| track.facts.id);
    api_tracks::upsert(&tracks)
}

pub(super) fn counts(listed: &Listed, taken_up: &TakenUp) -> Counts {
    Counts {
        fetched: listed.fetched,
        inserted: taken_up.inserted,
        merged: taken_up.merged,
        skipped: listed.fetched.saturating_sub(taken_up.inserted + taken_up.merged),
    }
}

/// A full list in which nothing is known from before: between the two, plays may have come and gone.
fn possible_gap(claimed: &ClaimedPoll, listed: &Listed, taken_up: &TakenUp) -> Option<PossibleGap> {
    let is_full = listed.fetched >= MAX_RECENT as u64 && taken_up.duplicate == 0;
    let (from_at, to_at) = claimed.last_poll_latest_played_at.zip(listed.earliest)?;
    (is_full && from_at < to_at).then_some(PossibleGap { from_at, to_at })
}
