//! The page is what Prometheus reads, and tells what is stored.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::header;
use serde_json::json;

use super::exposition::Exposition;
use crate::{
    domain::instant::DAY_MS,
    testing::{TestApp, test_app::NOW},
};

/// Samples by name and labels, as written.
type Samples = BTreeMap<String, f64>;

/// Reads a page strictly: what promtool would complain about is an error.
fn parsed(page: &str) -> Result<Samples, String> {
    let is_name = |name: &str| {
        let mut letters = name.chars();
        letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    if !page.ends_with('\n') {
        return Err("the last line does not end".to_owned());
    }
    let (mut samples, mut families) = (Samples::new(), BTreeSet::new());
    let (mut helped, mut typed) = (String::new(), String::new());
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or(format!("no help: {line}"))?;
            if help.is_empty() || !families.insert(name.to_owned()) {
                return Err(format!("told twice, or without help: {line}"));
            }
            name.clone_into(&mut helped);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            if rest != format!("{helped} gauge") {
                return Err(format!("a type without its help: {line}"));
            }
            typed.clone_from(&helped);
        } else {
            let (series, value) = line.rsplit_once(' ').ok_or(format!("no value: {line}"))?;
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            if name != typed || !is_name(name) {
                return Err(format!("outside of its family: {line}"));
            }
            check_labels(labels, is_name).ok_or(format!("labels: {line}"))?;
            let value: f64 = value.parse().map_err(|_| format!("no number: {line}"))?;
            if samples.insert(series.to_owned(), value).is_some() {
                return Err(format!("twice: {line}"));
            }
        }
    }
    Ok(samples)
}

/// Reads `name="value",name="value"}` to its end.
fn check_labels(mut rest: &str, is_name: impl Fn(&str) -> bool) -> Option<()> {
    while rest != "}" {
        let (name, after) = rest.split_once("=\"")?;
        if !is_name(name) {
            return None;
        }
        let mut escaped = false;
        let end = after.find(|letter| {
            let ends = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        })?;
        rest = after.get(end + 1..)?;
        rest = if let Some(next) = rest.strip_prefix(',') { next } else { rest };
    }
    Some(())
}

fn samples(app: &TestApp) -> Samples {
    let answer = app.get("/admin/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    parsed(&String::from_utf8(answer.bytes).unwrap()).unwrap()
}

#[test]
fn an_empty_installation_has_a_page_that_parses() {
    let samples = samples(&TestApp::new());
    assert!(samples["listenlog_dead_letters"].abs() < f64::EPSILON);
    assert!(samples["listenlog_database_bytes"] > 0.0);
    assert!(samples.keys().any(|series| series.starts_with("listenlog_build_info{version=")));
}

#[test]
fn what_is_stored_is_what_is_told() {
    let app = TestApp::new();
    app.post("/admin/users", &json!({"display_name": "Ada \"quoted\" \\ Lovelace"}));
    app.post("/admin/users", &json!({"display_name": "Eve"}));
    let (near, lost, late) = (NOW.0 - 175 * DAY_MS, NOW.0 - DAY_MS, NOW.0 - 400 * DAY_MS);
    let sql = format!(
        "UPDATE users SET total_plays = 7 WHERE id = 1;
         INSERT INTO sync_states (user_id, last_poll_completed_at, failed_polls, quiet_polls) VALUES (1, 5999, 2, 3);
         INSERT INTO spotify_tokens (user_id, client_id, scopes, access_token, access_expires_at, refresh_token,
           authorized_at, lost_reason, updated_at) VALUES
           (1, 'c', '', '', 0, '', {near}, NULL, 0), (2, 'c', '', '', 0, '', {lost}, 'revoked', 0),
           (3, 'c', '', '', 0, '', {late}, NULL, 0);
         INSERT INTO job_runs (job_type, status, started_by, created_at) VALUES ('poll', 'success', 's', 0),
           ('poll', 'success', 's', 0), ('poll', 'error', 's', 0), ('poll', 'queued', 's', 0);
         INSERT INTO import_jobs (user_id, status, file_size_bytes, created_at, updated_at) VALUES (1, 'partial', 0, 0, 0);
         INSERT INTO spotify_blocks VALUES ('a', 'player', 9000, ''), ('b', 'player', 8000, '');
         INSERT INTO schedule_ticks (name, last_run_at) VALUES ('sweep', 60000);
         INSERT INTO dead_letters (at, message, reason, resent_at) VALUES (0, '', '', NULL), (0, '', '', 1);"
    );
    app.db.with(|connection| connection.execute_batch(&sql)).unwrap();
    let found = samples(&app);
    for (series, value) in [
        ("listenlog_plays{user_id=\"1\"}", 7.0),
        ("listenlog_plays{user_id=\"2\"}", 0.0),
        ("listenlog_last_poll_timestamp_seconds{user_id=\"1\"}", 5.0),
        ("listenlog_failed_polls{user_id=\"1\"}", 2.0),
        ("listenlog_quiet_polls{user_id=\"1\"}", 3.0),
        ("listenlog_users_reauthorization_needed", 1.0),
        ("listenlog_users_reauthorization_due", 1.0),
        ("listenlog_jobs_backlog{job_type=\"poll\",status=\"queued\"}", 1.0),
        ("listenlog_jobs_recent{job_type=\"poll\",status=\"success\"}", 2.0),
        ("listenlog_jobs_recent{job_type=\"poll\",status=\"error\"}", 1.0),
        ("listenlog_imports_recent{status=\"partial\"}", 1.0),
        ("listenlog_blocked_until_timestamp_seconds{family=\"player\"}", 9.0),
        ("listenlog_cron_last_run_timestamp_seconds{name=\"sweep\"}", 60.0),
        ("listenlog_dead_letters", 1.0),
    ] {
        assert_eq!(found.get(series), Some(&value), "{series} in {found:#?}");
    }
    assert!(found.keys().any(|series| series.starts_with("listenlog_log_rows_last_hour{level=")), "{found:#?}");
    assert!(!found.keys().any(|series| series.contains("Ada")), "no names");
}

#[test]
fn labels_are_escaped() {
    let mut text = Exposition::default();
    text.family("a", "Help.");
    text.sample(&[("x", "back\\slash, \"quote\" and\nline"), ("y", "")], 1);
    let page = text.finish();
    assert_eq!(parsed(&page).unwrap().len(), 1, "{page}");
    assert!(page.ends_with("a{x=\"back\\\\slash, \\\"quote\\\" and\\nline\",y=\"\"} 1\n"), "{page}");
}

#[test]
fn the_reader_of_these_tests_is_strict() {
    let family = "# HELP a Help.\n# TYPE a gauge\n";
    for wrong in ["a 1\n", "# TYPE a gauge\na 1\n"] {
        assert!(parsed(wrong).is_err(), "{wrong}");
    }
    for wrong in ["a 1", "a x\n", "b 1\n", "a{x=\"1} 1\n", "a{1=\"\"} 1\n", "a 1\na 2\n", "# HELP a Again.\n"] {
        assert!(parsed(&format!("{family}{wrong}")).is_err(), "{wrong}");
    }
}
