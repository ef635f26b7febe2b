//! `/admin/logs`: what happened, newest first, or as it happens.

use axum::{Json, http::Uri};
use serde::Serialize;
use serde_json::Value;

use super::{
    path_id::MAX_ID,
    query::{BEFORE_ID, LIMIT, OFFSET, Parameter, Query, REQUEST_ID, SINCE, UNTIL, USER_ID},
};
use crate::{
    app::App,
    config::LogLevel,
    domain::{
        ids::{ImportJobId, JobRunId, UserId},
        instant::Millis,
    },
    error::AppError,
    store::{
        audit,
        log_search::{self, Filter, LogRow, Walk},
        logs,
    },
    telemetry::Service,
};

/// One event.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogView {
    id: i64,
    timestamp: Millis,
    service: Service,
    level: LogLevel,
    message: String,
    user_id: Option<UserId>,
    job_run_id: Option<JobRunId>,
    import_job_id: Option<ImportJobId>,
    request_id: Option<String>,
    /// What else the event told, by name.
    log_metadata: Option<Value>,
}

impl From<LogRow> for LogView {
    fn from(row: LogRow) -> Self {
        Self {
            id: row.id,
            timestamp: row.at,
            service: row.service,
            level: row.level,
            message: row.message,
            user_id: row.user_id,
            job_run_id: row.job_run_id,
            import_job_id: row.import_job_id,
            request_id: row.request_id,
            log_metadata: audit::value(row.fields.as_deref()),
        }
    }
}

/// A page of log rows. A search that looked at its share of rows ends there, full page or not, and says where to go on.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogPage {
    items: Vec<LogView>,
    /// How many match among the rows that were looked at, counted up to 1,000.
    total: i64,
    /// More may match than `total` says.
    total_is_a_minimum: bool,
    limit: u32,
    offset: u32,
    /// Going back in time: the `before_id` of the next page. Null: there is nothing older.
    next_before_id: Option<i64>,
    /// Following: the `after_id` of the next request.
    next_after_id: Option<i64>,
    /// How far this page looked.
    searched_to: Option<Millis>,
}

pub const PARAMETERS: &[Parameter] = &[
    LIMIT,
    OFFSET,
    Parameter::one_of("service", &Service::NAMES, "The door an event came in by."),
    Parameter::one_of("level", &LogLevel::NAMES, "Only events of this level."),
    USER_ID,
    Parameter::integer("job_run_id", 1, MAX_ID, "Only what this run did."),
    Parameter::integer("import_job_id", 1, MAX_ID, "Only what this import did."),
    REQUEST_ID,
    Parameter::text("q", 200, "A literal part of the message or its metadata; the case of A to Z does not matter."),
    SINCE,
    UNTIL,
    BEFORE_ID,
    Parameter::integer(
        "after_id",
        0,
        MAX_ID,
        "Oldest first, only rows above this id: `next_after_id` of the last answer.",
    ),
];

/// GET /admin/logs.
///
/// # Errors
/// 422: a filter that is not understood, or both ways at once.
pub async fn list(app: App, uri: Uri) -> Result<Json<LogPage>, AppError> {
    let query = Query::declared(&uri, PARAMETERS)?;
    let page = query.page()?;
    let walk = match (query.number("before_id"), query.number("after_id")) {
        (Some(_), Some(_)) => return Err(AppError::invalid("after_id", "cannot be combined with before_id")),
        (before_id, None) => Walk::Back { before_id },
        (None, Some(after_id)) => Walk::On { after_id },
    };
    let text = |name: &str| query.get(name).map(str::to_owned);
    let filter = Filter {
        service: text("service"),
        level: text("level"),
        user: query.number("user_id").map(UserId),
        job_run: query.number("job_run_id").map(JobRunId),
        import_job: query.number("import_job_id").map(ImportJobId),
        request_id: text("request_id"),
        q: text("q"),
        since: query.instant("since"),
        until: query.instant("until"),
        walk,
    };
    let found = log_search::search(&*app.db, &filter, page.limit, page.offset).await?;
    let goes_back = matches!(walk, Walk::Back { .. });
    Ok(Json(LogPage {
        items: found.rows.into_iter().map(LogView::from).collect(),
        total: found.total,
        total_is_a_minimum: found.total_is_a_minimum,
        limit: page.limit,
        offset: page.offset,
        next_before_id: found.next.filter(|_| goes_back),
        next_after_id: found.next.filter(|_| !goes_back),
        searched_to: found.next.map(logs::written_at),
    }))
}

#[cfg(test)]
mod tests;
