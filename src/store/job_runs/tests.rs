//! Runs change hands one at a time, and end once.

use futures_executor::block_on;

use super::{
    changes::{Cancellation, Retrial, cancel, retry},
    *,
};
use crate::testing::{TestApp, test_app::NOW};

const NEW: NewRun<'_> = NewRun {
    kind: JobKind::InitialSync,
    user: Some(UserId(1)),
    trigger: Trigger::Admin,
    request_id: None,
    cursor: None,
};

fn queued(app: &TestApp) -> JobRunId {
    block_on(create(&*app.app.db, NEW, NOW)).unwrap().unwrap()
}

fn claimed(app: &TestApp, id: JobRunId, now: Millis) -> Option<ClaimedRun> {
    block_on(claim(&*app.app.db, id, app.app.clock.random_hex(), now)).unwrap()
}

fn write(app: &TestApp, statements: Vec<Statement>) -> Result<(), StoreError> {
    block_on(app.app.db.batch(statements)).map(drop)
}

fn swept(app: &TestApp, now: Millis) -> Swept {
    block_on(sweep(&*app.app.db, now)).unwrap()
}

#[test]
fn a_run_is_queued_once_claimed_once_and_ends_once() {
    let app = TestApp::new();
    let id = queued(&app);
    assert_eq!(block_on(create(&*app.app.db, NEW, NOW)).unwrap(), None, "one is under way");
    let run = claimed(&app, id, NOW).unwrap();
    assert!(claimed(&app, id, NOW).is_none(), "a doubled message does nothing");
    write(&app, vec![run.lease.assertion(), run.lease.finish(RunStatus::Success, Some("empty_batch"), None, NOW)])
        .unwrap();
    assert!(claimed(&app, id, NOW).is_none());
    let again = write(&app, vec![run.lease.assertion(), run.lease.finish(RunStatus::Error, None, None, NOW)]);
    assert!(matches!(again, Err(StoreError::AssertionFailed)));
    let ended = "SELECT 1 FROM job_runs WHERE status = 'success' AND stop_reason = 'empty_batch' AND attempts = 1";
    assert_eq!(app.rows(ended).len(), 1);
}

#[test]
fn a_silent_worker_loses_its_run_and_can_no_longer_write() {
    let app = TestApp::new();
    let id = queued(&app);
    let silent = claimed(&app, id, NOW).unwrap();
    assert_eq!(swept(&app, NOW.plus_ms(LEASE_MS - 1)), Swept::default());
    let later = NOW.plus_ms(LEASE_MS);
    assert_eq!(swept(&app, later), Swept { due: vec![id], taken_back: vec![id], given_up: vec![] });
    let next = claimed(&app, id, later).unwrap();
    assert_eq!(next.stalled_attempts, 2);
    assert!(matches!(write(&app, vec![silent.lease.assertion()]), Err(StoreError::AssertionFailed)));
    assert_eq!(block_on(silent.lease.heartbeat(&*app.app.db, later)).unwrap(), Heartbeat::Lost);
    assert_eq!(block_on(next.lease.heartbeat(&*app.app.db, later)).unwrap(), Heartbeat::Held);
}

#[test]
fn a_run_that_never_gets_anywhere_is_given_up_and_one_that_does_is_not() {
    let app = TestApp::new();
    let id = queued(&app);
    let mut now = NOW;
    for attempt in 0..20 {
        let run = claimed(&app, id, now).unwrap();
        let done = Counts { fetched: 1, ..Counts::default() };
        write(&app, vec![run.lease.assertion(), run.lease.progress(done, Some("{}"), now)]).unwrap();
        now = now.plus_ms(LEASE_MS);
        assert!(swept(&app, now).given_up.is_empty(), "{attempt}");
    }
    for _ in 0..MAX_STALLED_ATTEMPTS {
        claimed(&app, id, now).unwrap();
        now = now.plus_ms(LEASE_MS);
        if swept(&app, now).given_up == [id] {
            let row = app
                .rows("SELECT 1 FROM job_runs WHERE status = 'error' AND error_class = 'interrupted' AND fetched = 20");
            assert_eq!(row.len(), 1);
            return;
        }
    }
    panic!("it was never given up");
}

#[test]
fn a_run_given_back_waits_for_its_time() {
    let app = TestApp::new();
    let id = queued(&app);
    let run = claimed(&app, id, NOW).unwrap();
    let until = NOW.plus_ms(10 * MINUTE_MS);
    write(&app, vec![run.lease.assertion(), run.lease.give_back(Some(until), Some("rate_limited"), None, NOW)])
        .unwrap();
    assert!(claimed(&app, id, until.minus_ms(1)).is_none());
    assert_eq!(swept(&app, until.minus_ms(1)), Swept::default());
    assert_eq!(swept(&app, until).due, [id]);
    assert!(claimed(&app, id, until).is_some());
}

#[test]
fn a_queued_run_is_cancelled_at_once_and_a_running_one_at_its_next_step() {
    let app = TestApp::new();
    let db = &*app.app.db;
    let first = queued(&app);
    assert_eq!(block_on(cancel(db, first, None, NOW)).unwrap(), Cancellation::Cancelled);
    assert!(claimed(&app, first, NOW).is_none());
    let second = queued(&app);
    let run = claimed(&app, second, NOW).unwrap();
    assert_eq!(block_on(cancel(db, second, None, NOW)).unwrap(), Cancellation::Requested);
    assert_eq!(block_on(run.lease.heartbeat(db, NOW)).unwrap(), Heartbeat::CancelRequested);
    write(&app, vec![run.lease.finish(RunStatus::Cancelled, Some("cancelled"), None, NOW)]).unwrap();
    assert_eq!(block_on(cancel(db, second, None, NOW)).unwrap(), Cancellation::HasEnded(RunStatus::Cancelled));
    assert_eq!(block_on(cancel(db, JobRunId(99), None, NOW)).unwrap(), Cancellation::Unknown);
}

#[test]
fn what_failed_is_tried_again_as_a_new_run_from_its_cursor() {
    let app = TestApp::new();
    let db = &*app.app.db;
    let first = queued(&app);
    assert_eq!(block_on(retry(db, first, None, None, NOW)).unwrap(), Retrial::IsUnderWay);
    let run = claimed(&app, first, NOW).unwrap();
    let fault = Fault { class: "network", sentence: "Spotify was not reached.".to_owned() };
    write(
        &app,
        vec![
            run.lease.progress(Counts::default(), Some("{\"before\":7}"), NOW),
            run.lease.finish(RunStatus::Error, None, Some(&fault), NOW),
        ],
    )
    .unwrap();
    let Retrial::Queued(second) = block_on(retry(db, first, Some("r1"), None, NOW)).unwrap() else {
        panic!("not queued")
    };
    assert_eq!(claimed(&app, second, NOW).unwrap().cursor.as_deref(), Some("{\"before\":7}"));
    assert_eq!(block_on(retry(db, first, None, None, NOW)).unwrap(), Retrial::IsUnderWay, "its successor is");
    assert_eq!(block_on(retry(db, JobRunId(99), None, None, NOW)).unwrap(), Retrial::Unknown);
}
