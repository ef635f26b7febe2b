//! `/admin/metrics`: the figures of [`gauges`] in Prometheus' text format.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>. Must stay true: a family is told with its
//! help and type before its samples, once; names and labels stay what they are, as dashboards and alerts go by them; no name
//! or address of a person is a label.

mod exposition;

use axum::{
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};

use self::exposition::Exposition;
use super::{health, query::Query};
use crate::{
    app::App,
    domain::instant::{DAY_MS, HOUR_MS, Millis},
    error::AppError,
    spotify::retry::reauthorize_by,
    store::gauges::{self, Amount, Gauges, UserGauges},
};

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
/// How long before its end a token is worth an alert.
const NEAR_MS: i64 = 14 * DAY_MS;

/// GET /admin/metrics.
pub async fn show(app: App, uri: Uri) -> Result<Response, AppError> {
    Query::declared(&uri, &[])?;
    let found = gauges::read(&*app.db, app.now().minus_ms(HOUR_MS)).await?;
    let text = rendered(&found, app.now(), app.db.usage().database_bytes);
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

fn rendered(gauges: &Gauges, now: Millis, database_bytes: Option<u64>) -> String {
    let mut text = Exposition::default();
    text.family("listenlog_build_info", "1, with the version that runs.");
    text.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    users(&mut text, &gauges.users, now);
    let by_type = ["job_type", "status"];
    amounts(&mut text, "listenlog_jobs_backlog", "Runs that wait or go on.", by_type, &gauges.backlog);
    let help = "Among the newest 500 runs: how those that ended did.";
    amounts(&mut text, "listenlog_jobs_recent", help, by_type, &gauges.ended_runs);
    let help = "Among the newest 500 imports: how many stand so.";
    amounts(&mut text, "listenlog_imports_recent", help, ["", "status"], &gauges.imports);
    let help = "Log rows of the last hour, up to 2000 in all.";
    amounts(&mut text, "listenlog_log_rows_last_hour", help, ["", "level"], &gauges.log_rows);
    let help = "Until when Spotify wants to be left alone, by family of endpoints; in the past: it may be asked.";
    text.family("listenlog_blocked_until_timestamp_seconds", help);
    for block in &gauges.blocks {
        text.sample(&[("family", &block.name)], seconds(block.at));
    }
    text.family("listenlog_cron_last_run_timestamp_seconds", "When each entry of the schedule last ran.");
    for tick in &gauges.ticks {
        text.sample(&[("name", &tick.name)], seconds(tick.at));
    }
    text.family("listenlog_dead_letters", "Messages that were given up and not sent again, of the newest 500.");
    text.sample(&[], gauges.dead_letters);
    if let Some(bytes) = database_bytes.and_then(|bytes| i64::try_from(bytes).ok()) {
        text.family("listenlog_database_bytes", "The database on its disk, indexes included.");
        text.sample(&[], bytes);
    }
    if let Some(bytes) = health::memory_bytes().and_then(|bytes| i64::try_from(bytes).ok()) {
        text.family("listenlog_module_memory_bytes", "The most memory that the module of this isolate has needed.");
        text.sample(&[], bytes);
    }
    text.finish()
}

/// What is told of each user, by id, and of all of them together.
fn users(text: &mut Exposition, users: &[UserGauges], now: Millis) {
    let mut each = |name, help, value: &dyn Fn(&UserGauges) -> Option<i64>| {
        text.family(name, help);
        for user in users {
            if let Some(value) = value(user) {
                text.sample(&[("user_id", &user.user_id.to_string())], value);
            }
        }
    };
    each("listenlog_plays", "Plays stored.", &|user| Some(user.plays));
    each("listenlog_last_poll_timestamp_seconds", "When Spotify was last asked with success.", &|user| {
        user.last_poll_completed_at.map(seconds)
    });
    each("listenlog_failed_polls", "Polls that failed since the last one that did not.", &|user| user.failed_polls);
    each("listenlog_quiet_polls", "Polls without a new play since the last one with one.", &|user| user.quiet_polls);
    let count = |is_so: &dyn Fn(&UserGauges, Millis) -> bool| {
        let connected = users.iter().filter_map(|user| Some((user, user.authorized_at?)));
        i64::try_from(connected.filter(|(user, authorized_at)| is_so(user, *authorized_at)).count()).unwrap_or(i64::MAX)
    };
    let is_lost = |user: &UserGauges, authorized_at| user.lost_reason.is_some() || reauthorize_by(authorized_at) <= now;
    let is_near = |user: &UserGauges, authorized_at| {
        !is_lost(user, authorized_at) && reauthorize_by(authorized_at).since_ms(now) <= NEAR_MS
    };
    let help = "Users who have to connect Spotify again before anything more is collected.";
    text.family("listenlog_users_reauthorization_needed", help);
    text.sample(&[], count(&is_lost));
    text.family("listenlog_users_reauthorization_due", "Users whose permission ends within 14 days.");
    text.sample(&[], count(&is_near));
}

/// A family with one sample for each kind and state; a label without a name is left out.
fn amounts(text: &mut Exposition, name: &'static str, help: &'static str, labels: [&'static str; 2], found: &[Amount]) {
    text.family(name, help);
    for amount in found {
        let pairs = labels.into_iter().zip([amount.kind.as_str(), amount.state.as_str()]);
        let pairs: Vec<(&str, &str)> = pairs.filter(|(label, _)| !label.is_empty()).collect();
        text.sample(&pairs, amount.counted);
    }
}

const fn seconds(at: Millis) -> i64 {
    at.0.div_euclid(1_000)
}

#[cfg(test)]
mod tests;
