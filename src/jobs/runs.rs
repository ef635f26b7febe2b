//! Runs of jobs, whatever they do: claimed under a lease, worked on by their kind, ended or given back.
//!
//! To add a kind: a variant of [`JobKind`] with its name, an arm in [`work`]. A worker looks at
//! [`RunLease::heartbeat`](crate::store::job_runs::RunLease::heartbeat) between its steps, writes each step in one batch
//! that opens with the lease's assertion and moves the cursor, and says with a [`RunEnd`] how it left the run.
//! Must stay true: a run that fails is tried again with growing pauses, and given up after some attempts without any
//! progress; its failure stands in its row whatever else is undone; nobody waits inside a run.

use super::{Verdict, collecting, message::JobMessage, purge};
use crate::{
    app::App,
    domain::{
        ids::JobRunId,
        instant::{HOUR_MS, MINUTE_MS, Millis},
    },
    error::AppError,
    store::{
        StoreError,
        job_runs::{self, ClaimedRun, Fault, JobKind, MAX_STALLED_ATTEMPTS, RunStatus},
    },
};

/// How a worker left its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// It is over.
    Finished { status: RunStatus, stop_reason: Option<&'static str>, fault: Option<Fault> },
    /// It is over, and the batch of its last step said so.
    Settled,
    /// One message's share is done; the next goes on at the cursor.
    ToBeContinued,
    /// It goes on at the cursor, but not before this instant.
    Waits { until: Millis, stop_reason: &'static str, fault: Option<Fault> },
}

impl RunEnd {
    pub const fn success() -> Self {
        Self::Finished { status: RunStatus::Success, stop_reason: None, fault: None }
    }

    pub const fn cancelled() -> Self {
        Self::Finished { status: RunStatus::Cancelled, stop_reason: Some("cancelled"), fault: None }
    }
}

/// What each kind of run does.
async fn work(app: &App, run: &ClaimedRun) -> Result<RunEnd, AppError> {
    match run.kind {
        JobKind::InitialSync => collecting::sync_initially(app, run).await,
        JobKind::PurgeLogs => purge::work(app, run).await,
        JobKind::ImportZip | JobKind::Poll => {
            Err(AppError::Internal("runs of this kind are not worked on by themselves"))
        }
    }
}

/// Works on a run, if nobody else does.
pub async fn run(app: &App, id: JobRunId) -> Verdict {
    let claimed = match job_runs::claim(&*app.db, id, app.clock.random_hex(), app.now()).await {
        Ok(Some(claimed)) => claimed,
        // Ended, not due, or another's: the message has done its duty.
        Ok(None) => return Verdict::Done,
        Err(error) => {
            tracing::error!(job_run_id = id.0, %error, "A run could not be claimed");
            return Verdict::Retry { after_seconds: 10 };
        }
    };
    if claimed.cancel_requested {
        return leave(app, &claimed, RunEnd::cancelled()).await;
    }
    match work(app, &claimed).await {
        Ok(end) => leave(app, &claimed, end).await,
        Err(AppError::Store(StoreError::AssertionFailed)) => {
            tracing::warn!(job_run_id = id.0, "A run went over to another worker");
            Verdict::Done
        }
        Err(error) => {
            let attempts = claimed.stalled_attempts;
            tracing::error!(job_run_id = id.0, attempts, %error, "A run failed");
            leave(app, &claimed, after_failure(&error, attempts, app.now())).await
        }
    }
}

/// Writes how the run was left. Should that fail, the lease runs out and the sweep takes the run back.
async fn leave(app: &App, run: &ClaimedRun, end: RunEnd) -> Verdict {
    let (lease, now) = (&run.lease, app.now());
    let statement = match &end {
        RunEnd::Settled => return Verdict::Done,
        RunEnd::Finished { status, stop_reason, fault } => lease.finish(*status, *stop_reason, fault.as_ref(), now),
        RunEnd::ToBeContinued => lease.give_back(None, None, None, now),
        RunEnd::Waits { until, stop_reason, fault } => {
            lease.give_back(Some(*until), Some(stop_reason), fault.as_ref(), now)
        }
    };
    if let Err(error) = app.db.run(statement).await {
        tracing::error!(job_run_id = lease.run.0, %error, "How a run was left could not be written; the sweep will see");
        return Verdict::Done;
    }
    if end == RunEnd::ToBeContinued {
        send(app, lease.run).await;
    }
    Verdict::Done
}

/// Pauses between attempts double, from half a minute to an hour.
fn after_failure(error: &AppError, attempts: i64, now: Millis) -> RunEnd {
    let fault = Some(fault_of(error));
    if attempts >= MAX_STALLED_ATTEMPTS {
        return RunEnd::Finished { status: RunStatus::Error, stop_reason: Some("gave_up"), fault };
    }
    RunEnd::Waits { until: now.plus_ms(pause_ms(attempts)), stop_reason: "failed", fault }
}

/// How long to wait after so many failures in a row.
pub fn pause_ms(failures: i64) -> i64 {
    let doubled = u32::try_from(failures.clamp(1, 20) - 1).unwrap_or(0);
    (MINUTE_MS / 2).saturating_mul(1 << doubled).min(HOUR_MS)
}

/// An error as a run's row tells it: never SQL, and nothing of what was sent.
pub fn fault_of(error: &AppError) -> Fault {
    let class = match error {
        AppError::Store(error) if error.is_outage() => "database_unreachable",
        AppError::Archive(_) => "archive_storage",
        AppError::NotConfigured(_) => "not_configured",
        _ => "internal",
    };
    let sentence = match error {
        AppError::Store(error) if error.is_outage() => "The database could not be reached for a while.".to_owned(),
        error if error.status().is_server_error() && class != "not_configured" => {
            "Something failed on our side; the log rows of this run say more.".to_owned()
        }
        error => error.to_string(),
    };
    Fault { class, sentence }
}

/// Sends the message of a queued run. Should that fail, the sweep sends it within two minutes.
pub async fn send(app: &App, id: JobRunId) {
    if let Err(error) = app.queue.send(&JobMessage::Run { job_run_id: id }).await {
        tracing::warn!(job_run_id = id.0, %error, "A run's message could not be sent; the sweep will send it");
    }
}

/// Takes back what is stuck, and sends what is due again.
pub async fn sweep(app: &App, now: Millis) {
    let swept = match job_runs::sweep(&*app.db, now).await {
        Ok(swept) => swept,
        Err(error) => return tracing::error!(%error, "The sweep could not look for stuck runs"),
    };
    for id in swept.given_up {
        tracing::error!(job_run_id = id.0, "A run that never got anywhere was given up");
    }
    for id in swept.taken_back {
        tracing::warn!(job_run_id = id.0, "A run was stuck and is sent again");
    }
    for id in swept.due {
        send(app, id).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_have_an_end() {
        let seconds: Vec<i64> = [0, 1, 2, 3, 8, 9, 1_000].iter().map(|failures| pause_ms(*failures) / 1_000).collect();
        assert_eq!(seconds, [30, 30, 60, 120, 3_600, 3_600, 3_600]);
    }

    #[test]
    fn a_run_that_fails_for_good_says_why_without_what_is_inside() {
        let error = AppError::Store(StoreError::Failed("no such column: secret".to_owned()));
        let RunEnd::Waits { until, fault: Some(fault), .. } = after_failure(&error, 1, Millis(0)) else {
            panic!("the first failure is not the end")
        };
        assert_eq!((until, fault.class), (Millis(30_000), "internal"));
        assert!(!fault.sentence.contains("column"));
        let end = after_failure(&error, MAX_STALLED_ATTEMPTS, Millis(0));
        assert!(matches!(end, RunEnd::Finished { status: RunStatus::Error, .. }));
    }
}
