//! Logs are found by every filter, within a bound, and nothing is silently left out.

use rusqlite::StatementStatus;
use serde_json::Value;

use super::*;
use crate::{
    store::{Parameter as Bound, Statement, log_search::SEARCHED_ROWS},
    testing::{TestApp, test_app::NOW},
};

/// Rows one second apart, the last of them a second ago: every tenth a warning, every 500th of user 2 and import 5.
fn with_rows(count: u32) -> TestApp {
    let app = TestApp::new();
    let sql = format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
         INSERT INTO logs (id, at, service, level, message, user_id, job_run_id, import_job_id, request_id, fields)
         SELECT ({now} - ({count} - n + 1) * 1000) * 2048, {now} - ({count} - n + 1) * 1000,
           iif(n % 3 = 0, 'queue', 'http'), iif(n % 10 = 0, 'warning', 'info'), 'Event ' || n || ' of 100% \u{f6}',
           iif(n % 500 = 0, 2, 1), iif(n % 500 = 0, 7, NULL), iif(n % 500 = 0, 5, NULL), 'r' || (n / 2),
           json_object('number', n) FROM numbers",
        now = NOW.0
    );
    app.db.with(|connection| connection.execute_batch(&sql)).unwrap();
    app
}

fn page(app: &TestApp, query: &str) -> Value {
    let answer = app.get(&format!("/admin/logs?{query}"));
    assert_eq!(answer.status, 200, "{query}: {}", answer.json());
    answer.json()
}

/// The numbers of the events on a page.
fn numbers(page: &Value) -> Vec<i64> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["log_metadata"]["number"].as_i64().unwrap()).collect()
}

#[test]
fn rows_are_listed_newest_first_with_all_they_tell() {
    let app = with_rows(1_000);
    let listed = page(&app, "limit=2");
    assert_eq!(numbers(&listed), [1_000, 999]);
    assert_eq!(listed["total"], 1_000);
    assert_eq!(listed["total_is_a_minimum"], true);
    let row = &listed["items"][0];
    assert_eq!(row["timestamp"], "2026-11-23T11:59:59Z");
    assert_eq!((&row["service"], &row["level"], &row["user_id"]), (&"http".into(), &"warning".into(), &2.into()));
    assert_eq!((&row["job_run_id"], &row["import_job_id"], &row["request_id"]), (&7.into(), &5.into(), &"r500".into()));
}

#[test]
fn every_filter_narrows_and_all_of_them_together_do() {
    let app = with_rows(1_000);
    for (query, expected) in [
        ("service=queue&limit=2", vec![999, 996]),
        ("level=warning&limit=2", vec![1_000, 990]),
        ("user_id=2", vec![1_000, 500]),
        ("job_run_id=7&limit=1", vec![1_000]),
        ("import_job_id=5", vec![1_000, 500]),
        ("request_id=r400", vec![801, 800]),
        ("q=EVENT+77+", vec![77]),
        ("q=%22number%22%3A88%7D", vec![88]),
        ("since=2026-11-23T11:59:58Z", vec![1_000, 999]),
        ("until=2026-11-23T11:59:58Z&limit=1", vec![998]),
        ("user_id=2&level=warning&service=http&q=event&until=2026-11-23T11:59:00Z", vec![500]),
        ("user_id=3", vec![]),
    ] {
        assert_eq!(numbers(&page(&app, query)), expected, "{query}");
    }
}

#[test]
fn what_is_searched_for_is_text_and_no_pattern() {
    let app = with_rows(10);
    assert_eq!(numbers(&page(&app, "q=event_1")), Vec::<i64>::new());
    assert_eq!(numbers(&page(&app, "q=%25")).len(), 10);
    assert_eq!(numbers(&page(&app, "q=event%25of")), Vec::<i64>::new());
    assert_eq!(numbers(&page(&app, "q=1+of+100%25+%C3%B6")), [1]);
}

#[test]
fn values_that_are_not_known_are_refused_with_what_is_allowed() {
    let app = TestApp::new();
    for query in
        ["level=loud", "service=api", "user_id=0", "user_id=x", "since=yesterday", "q=", "lvl=info", "before_id=0"]
    {
        assert_eq!(app.get(&format!("/admin/logs?{query}")).status, 422, "{query}");
    }
    let refused = app.get("/admin/logs?level=loud").json();
    assert_eq!(refused["errors"][0]["detail"], "must be one of: debug, info, warning, error");
    assert_eq!(app.get("/admin/logs?before_id=5&after_id=5").status, 422);
}

#[test]
fn a_rare_thing_among_many_rows_is_found_by_going_on_where_the_search_ended() {
    let app = with_rows(25_000);
    let mut found = Vec::new();
    let (mut before, mut pages) = (String::new(), 0);
    loop {
        let listed = page(&app, &format!("q=event+7+of{before}"));
        found.extend(numbers(&listed));
        pages += 1;
        let Some(next) = listed["next_before_id"].as_i64() else { break };
        assert_eq!(listed["total_is_a_minimum"], true, "a search cut short says so");
        before = format!("&before_id={next}");
    }
    assert_eq!((found, pages), (vec![7], 3));
}

#[test]
fn keyset_pages_leave_nothing_out_and_repeat_nothing() {
    let app = with_rows(1_000);
    let mut found = Vec::new();
    let mut before = String::new();
    loop {
        let listed = page(&app, &format!("level=warning&limit=7{before}"));
        found.extend(numbers(&listed));
        let Some(next) = listed["next_before_id"].as_i64() else { break };
        before = format!("&before_id={next}");
    }
    assert_eq!(found, (1..=100).rev().map(|n| n * 10).collect::<Vec<i64>>());
}

#[test]
fn following_shows_each_new_row_once_in_the_order_they_came() {
    let app = with_rows(10);
    let begun = page(&app, "after_id=0&limit=4&level=info");
    assert_eq!(numbers(&begun), [1, 2, 3, 4]);
    let next = begun["next_after_id"].as_i64().unwrap();
    let rest = page(&app, &format!("after_id={next}&level=info"));
    assert_eq!(numbers(&rest), [5, 6, 7, 8, 9]);
    let next = rest["next_after_id"].as_i64().unwrap();
    let nothing = page(&app, &format!("after_id={next}&level=info"));
    assert_eq!((numbers(&nothing), nothing["next_after_id"].as_i64()), (vec![], Some(next)));
    app.admin("DELETE", "/admin/users/99", "");
    let refused = page(&app, &format!("after_id={next}&level=warning"));
    assert_eq!(refused["items"][0]["message"], "A request was refused");
}

/// What a statement did: its plan, and the steps of SQLite's machine it took.
fn cost(app: &TestApp, statement: &Statement) -> (String, i32) {
    app.db.with(|connection| {
        let bind = |prepared: &mut rusqlite::Statement<'_>| {
            for (index, parameter) in statement.parameters.iter().enumerate() {
                match parameter {
                    Bound::Integer(number) => prepared.raw_bind_parameter(index + 1, number).unwrap(),
                    Bound::Text(text) => prepared.raw_bind_parameter(index + 1, text).unwrap(),
                    other => panic!("{other:?} is never bound here"),
                }
            }
        };
        let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sql)).unwrap();
        bind(&mut explained);
        let mut plan = String::new();
        let mut lines = explained.raw_query();
        while let Some(line) = lines.next().unwrap() {
            plan.push_str(&line.get::<_, String>(3).unwrap());
            plan.push_str("; ");
        }
        let mut prepared = connection.prepare(&statement.sql).unwrap();
        bind(&mut prepared);
        let mut rows = prepared.raw_query();
        while rows.next().unwrap().is_some() {}
        drop(rows);
        (plan, prepared.get_status(StatementStatus::VmStep))
    })
}

/// One row that is looked at takes some twenty steps, a match some more; a walk through all 60,000 rows would take a million.
#[test]
fn a_page_looks_at_a_bounded_number_of_rows_however_many_there_are() {
    let app = with_rows(60_000);
    let q = || Some("nowhere to be found".to_owned());
    for (name, filter, way) in [
        ("nothing", Filter::default(), "SCAN logs"),
        ("text", Filter { q: q(), ..Filter::default() }, "SCAN logs"),
        ("service", Filter { service: Some("cron".to_owned()), ..Filter::default() }, "SCAN logs"),
        (
            "since",
            Filter { since: Some(NOW.minus_ms(9_000_000)), q: q(), ..Filter::default() },
            "USING INTEGER PRIMARY KEY",
        ),
        (
            "until",
            Filter { until: Some(NOW.minus_ms(9_000_000)), q: q(), ..Filter::default() },
            "USING INTEGER PRIMARY KEY",
        ),
        ("user", Filter { user: Some(UserId(1)), q: q(), ..Filter::default() }, "USING INDEX logs_of_user"),
        ("run", Filter { job_run: Some(JobRunId(7)), q: q(), ..Filter::default() }, "USING INDEX logs_of_job_run"),
        ("import", Filter { import_job: Some(ImportJobId(5)), ..Filter::default() }, "USING INDEX logs_of_import"),
        ("request", Filter { request_id: Some("r9".to_owned()), ..Filter::default() }, "USING INDEX logs_of_request"),
        (
            "level",
            Filter { level: Some("warning".to_owned()), q: q(), ..Filter::default() },
            "USING INDEX logs_alarming",
        ),
        ("follow", Filter { walk: Walk::On { after_id: 1 }, q: q(), ..Filter::default() }, "USING INTEGER PRIMARY KEY"),
    ] {
        let (plan, steps) = cost(&app, &log_search::page(&filter, 50, 0));
        assert!(plan.contains(way), "{name}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{name} sorts: {plan}");
        assert!(steps < 40 * i32::try_from(SEARCHED_ROWS).unwrap(), "{name} took {steps} steps");
    }
}

/// A page takes a few milliseconds; `--nocapture` prints them.
#[test]
fn a_page_of_a_million_rows_is_read_in_a_fraction_of_a_second() {
    let app = with_rows(1_000_000);
    for query in ["", "q=nowhere", "level=error", "level=info&q=event+7+of", "user_id=1&service=cron", "request_id=r77"]
    {
        #[expect(clippy::disallowed_methods, reason = "a native measurement")]
        let began = std::time::Instant::now();
        page(&app, query);
        let took = began.elapsed();
        println!("{query:30} {took:?}");
        assert!(took.as_millis() < 500, "{query} took {took:?}");
    }
}
