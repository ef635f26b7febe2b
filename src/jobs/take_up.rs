//! Takes observations up into a user's stored plays: loads what lies near them, matches, and writes one batch.
//!
//! Every writer of plays goes through here: imports, slices of rows sent one by one, polls. Must stay true:
//! * plays, tracks and the writer's own counters and cursor are one batch, opened by the writer's guard and by the
//!   assertion that the user's plays are still as they were seen;
//! * when only the plays have changed meanwhile, the same observations are matched again; nobody's writing is lost.

mod change;

use self::change::change;
use crate::{
    app::App,
    domain::{
        ids::UserId,
        instant::HOUR_MS,
        matching::{EndDistances, Outcome},
        observation::Observation,
        track::TrackFacts,
    },
    error::AppError,
    store::{Statement, StoreError},
};

/// Times the same observations are matched again because something else wrote the user's plays meanwhile, or because
/// more of them had to be seen.
const MAX_CONTESTS: usize = 20;

/// What is to be taken up in one batch.
#[derive(Clone, Copy)]
pub struct TakeUp<'a> {
    pub user: UserId,
    pub observations: &'a [Observation],
    /// Their tracks, but for those that are known to be stored with all that is known of them.
    pub tracks: &'a [&'a TrackFacts],
}

/// What became of the observations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenUp {
    /// One for each observation, in their order.
    pub outcomes: Vec<Outcome>,
    pub inserted: u64,
    pub merged: u64,
    pub duplicate: u64,
    /// How far the two ends lie apart in each play that now has an API item and an extended row and had not before.
    pub end_distances: EndDistances,
}

/// What the writer adds to the batch, once it is known what became of the observations.
pub type Accounts<'a> = dyn Fn(&TakenUp) -> Vec<Statement> + Send + Sync + 'a;

/// Takes observations up. `guards` are assertions that open the batch: what the writer's right to write rests on.
///
/// # Errors
/// [`StoreError::AssertionFailed`] when a guard no longer holds; nothing was written then.
pub async fn take_up(
    app: &App,
    what: &TakeUp<'_>,
    guards: &[Statement],
    accounts: &Accounts<'_>,
) -> Result<TakenUp, AppError> {
    let mut slack_ms = 0;
    for _ in 0..MAX_CONTESTS {
        let Some(change) = change(app, what, slack_ms).await? else {
            slack_ms = slack_ms * 4 + HOUR_MS;
            continue;
        };
        match app.db.batch(change.statements(app, what, guards, accounts)).await {
            Ok(_) => return Ok(change.taken_up),
            Err(StoreError::AssertionFailed) => hold(app, guards).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(AppError::Internal("observations could not be taken up: the plays around them changed too often"))
}

/// Whether the guards still hold: then it was another writer of the same plays that was faster.
async fn hold(app: &App, guards: &[Statement]) -> Result<(), StoreError> {
    app.db.batch(guards.to_vec()).await.map(drop)
}
