//! No fault of database, storage or queue leaves anything half done, on any route that changes something.
//!
//! For each such route: a valid request, with a fault at every call it makes to every port, before the call did its work and
//! after it, once and for as long as the request lasts. Once the platform is well again and the clock has ticked, what is
//! stored is what it would be without the request, or with it, and with it whenever the answer said so.

mod mutations;

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Method, header},
};
use futures_executor::block_on;

use self::mutations::{Mutation, Stage, mutations};
use super::{METHODS, every_path};
use crate::{
    domain::instant::{DAY_MS, MINUTE_MS},
    jobs::schedule::{self, TIDY},
    testing::{
        TestApp,
        platform::Fault,
        sqlite::Failure,
        test_app::{Answer, NOW},
    },
};

#[test]
fn every_route_that_changes_something_is_tried() {
    let app = TestApp::new();
    let mut found = BTreeSet::new();
    for asked in every_path() {
        for method in METHODS.iter().filter(|method| **method != Method::GET) {
            // Without a body: what it answers does not matter, only whether it does.
            if app.admin(method.as_str(), &asked.path, Body::empty()).status != 405 {
                found.insert(format!("{method} {}", asked.template));
            }
        }
    }
    let tried: BTreeSet<String> =
        mutations().iter().map(|mutation| format!("{} {}", mutation.method, mutation.template)).collect();
    let untried: Vec<_> = found.difference(&tried).collect();
    assert!(untried.is_empty(), "without a line in `mutations`: {untried:?}");
    let unknown: Vec<_> = tried.difference(&found).collect();
    assert!(unknown.is_empty(), "of no route: {unknown:?}");
}

/// Where a fault is put.
#[derive(Clone, Copy, Debug)]
enum Port {
    Database,
    Archives,
    Queue,
}

fn break_at(Stage { app, .. }: &Stage, port: Port, fault: Fault) {
    let failure = if fault.is_done { Failure::AfterWriting } else { Failure::BeforeWriting };
    match port {
        Port::Database if fault.is_lasting => app.db.fail_from(fault.after_calls, failure),
        Port::Database => app.db.fail_after(fault.after_calls, failure),
        Port::Archives => app.archives.faults.expect(fault),
        Port::Queue => app.queue.faults.expect(fault),
    }
}

/// Tells whether the fault had come.
fn heal(Stage { app, .. }: &Stage, port: Port) -> bool {
    match port {
        Port::Database => app.db.heal(),
        Port::Archives => app.archives.faults.heal(),
        Port::Queue => app.queue.faults.heal(),
    }
}

/// What is stored once the clock has ticked and the queue has run dry.
fn settled(Stage { app, .. }: &Stage) -> Vec<String> {
    app.drain();
    for minutes in [3, 6] {
        app.clock.set(NOW.plus_ms(minutes * MINUTE_MS));
        app.sweep();
        app.drain();
    }
    app.clock.set(NOW.plus_ms(2 * DAY_MS));
    block_on(schedule::tick(&app.app, TIDY, app.app.now()));
    lasting(app)
}

/// Columns that tell when, how often, through whom or at what cost something was tried, beside those that end in `_at`.
const PASSING: [&str; 14] = [
    "failed_polls",
    "quiet_polls",
    "at",
    "attempts",
    "stalled_attempts",
    "lease_token",
    "lease_until",
    "request_id",
    "archive_key",
    "not_before",
    "cursor",
    "rows_written",
    "written_on",
    "written_on_day",
];
/// Tables that tell of the faults and of the clock.
const PASSING_TABLES: [&str; 3] = ["logs", "dead_letters", "schedule_ticks"];

/// Every row, as text, but for what is passing; objects and messages.
fn lasting(app: &TestApp) -> Vec<String> {
    let mut lines = app.db.with(|connection| {
        let texts = |sql: &str| -> Vec<String> {
            let mut statement = connection.prepare(sql).unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let mut lines = Vec::new();
        for table in texts("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name") {
            let columns = texts(&format!("SELECT name FROM pragma_table_info('{table}')"));
            // The instants of plays are what they are about.
            let is_lasting = |column: &&String| {
                table == "plays" || (!column.ends_with("_at") && !PASSING.contains(&column.as_str()))
            };
            let kept: Vec<String> =
                columns.iter().filter(is_lasting).map(|column| format!("quote(\"{column}\")")).collect();
            if !kept.is_empty() && !PASSING_TABLES.contains(&table.as_str()) {
                let row = kept.join(" || ', ' || ");
                lines.extend(texts(&format!("SELECT '{table}: ' || {row} FROM \"{table}\" ORDER BY 1")));
            }
        }
        lines
    });
    lines.push(format!("objects: {}", app.archives.keys().len()));
    lines.push(format!("messages: {}", app.queue.len()));
    lines
}

#[test]
fn a_fault_at_any_call_leaves_all_or_nothing() {
    let (mut tried, mut failures) = (0, Vec::new());
    for mutation in mutations() {
        match try_faults(&mutation) {
            Ok(faults) => tried += faults,
            Err(failure) => failures.push(failure),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(tried > 100, "only {tried} faults were tried");
}

/// Tells how many faults were tried, or what the first one left that should not be.
fn try_faults(mutation: &Mutation) -> Result<u32, String> {
    let mut tried = 0;
    let route = format!("{} {}", mutation.method, mutation.template);
    let without = settled(&(mutation.scene)());
    let done = (mutation.scene)();
    let answer = (mutation.send)(&done);
    assert!(has_worked(&answer), "{route}: {} {}", answer.status, String::from_utf8_lossy(&answer.bytes));
    let with = settled(&done);
    for port in [Port::Database, Port::Archives, Port::Queue] {
        for (is_done, is_lasting) in [(false, false), (true, false), (false, true)] {
            for after_calls in 0..100 {
                let fault = Fault { after_calls, is_done, is_lasting };
                let stage = (mutation.scene)();
                break_at(&stage, port, fault);
                let answer = (mutation.send)(&stage);
                if !heal(&stage, port) {
                    break;
                }
                tried += 1;
                let said = format!("{route}: {port:?} {fault:?}: {}", answer.status);
                if !is_honest(&answer) {
                    return Err(format!("{said}: {}", String::from_utf8_lossy(&answer.bytes)));
                }
                let found = settled(&stage);
                if found != with && (has_worked(&answer) || found != without) {
                    let (missing, extra) = (less(&with, &found), less(&found, &with));
                    return Err(format!("{said}\nmissing: {missing:#?}\ntoo much: {extra:#?}"));
                }
            }
        }
    }
    Ok(tried)
}

/// Whether an answer says that it was done. Consent ends with the browser being sent on.
fn has_worked(answer: &Answer) -> bool {
    answer.status.is_success() || answer.status.is_redirection()
}

/// Whether a request that a fault kept from its end says so, and when to come back.
fn is_honest(answer: &Answer) -> bool {
    has_worked(answer) || (answer.status == 503 && answer.headers.contains_key(header::RETRY_AFTER))
}

/// The first lines that only one of the two has.
fn less(all: &[String], without: &[String]) -> Vec<String> {
    all.iter().filter(|line| !without.contains(line)).take(8).cloned().collect()
}
