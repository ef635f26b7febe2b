//! Finding log rows when there are a million of them.
//!
//! A search walks the rows that share its rarest id, or else all rows, from one end, and stops when the page is full or when
//! it has looked at [`SEARCHED_ROWS`]. Must stay true:
//! * a page looks at no more than twice that many rows, whatever is asked: once for its items, and once to count them or to see
//!   how far it came;
//! * a page that ends early says so and says where to go on, so that nothing is ever silently not found;
//! * `q` is text, not a pattern.

use serde::Deserialize;

use super::{Db, Parameter, Statement, StoreError, logs, rows::Total};
use crate::{
    domain::{
        ids::{ImportJobId, JobRunId, UserId},
        instant::{MINUTE_MS, Millis},
    },
    telemetry::{LogLevel, Service},
};

/// Rows that one walk of a search looks at.
pub const SEARCHED_ROWS: u32 = 10_000;
/// Matches are counted up to here.
pub const COUNTED_MATCHES: u32 = 1_000;
/// The longest that an event waits for its row: as long as the platform lets a job run.
const LONGEST_WAIT_MS: i64 = 15 * MINUTE_MS;

/// A row of `logs`.
#[derive(Clone, Debug, Deserialize)]
pub struct LogRow {
    pub id: i64,
    pub at: Millis,
    pub service: Service,
    pub level: LogLevel,
    pub message: String,
    pub user_id: Option<UserId>,
    pub job_run_id: Option<JobRunId>,
    pub import_job_id: Option<ImportJobId>,
    pub request_id: Option<String>,
    pub fields: Option<String>,
}

/// What narrows a search; all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub service: Option<String>,
    pub level: Option<String>,
    pub user: Option<UserId>,
    pub job_run: Option<JobRunId>,
    pub import_job: Option<ImportJobId>,
    pub request_id: Option<String>,
    /// A literal part of the message or the fields; the case of ASCII letters does not matter.
    pub q: Option<String>,
    pub since: Option<Millis>,
    pub until: Option<Millis>,
    pub walk: Walk,
}

/// Which way a search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// Newest first, below this id.
    Back { before_id: Option<i64> },
    /// Oldest first, above this id: as somebody follows what happens.
    On { after_id: i64 },
}

impl Default for Walk {
    fn default() -> Self {
        Self::Back { before_id: None }
    }
}

/// A page of a search.
#[derive(Debug)]
pub struct Found {
    pub rows: Vec<LogRow>,
    /// How many match, among the rows that were looked at.
    pub total: i64,
    /// More may match than `total` says.
    pub total_is_a_minimum: bool,
    /// Where the next page begins: the id of the last row that this one looked at. `None`: there is nothing older. What is newer
    /// may always come.
    pub next: Option<i64>,
}

/// Searches.
pub async fn search(db: &dyn Db, filter: &Filter, limit: u32, offset: u32) -> Result<Found, StoreError> {
    let mut rows: Vec<LogRow> = db.run(page(filter, limit, offset)).await?.all()?;
    let is_full = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if is_full {
        rows.pop();
        let total: Option<Total> = db.first(count(filter)).await?;
        let total = total.map_or(0, |row| row.total).max(i64::from(offset) + i64::from(limit) + 1);
        let next = rows.last().map(|row| row.id);
        return Ok(Found { rows, total, total_is_a_minimum: total >= i64::from(COUNTED_MATCHES), next });
    }
    let reach: Reach = db.first(reach(filter)).await?.unwrap_or_default();
    let is_cut_short = reach.looked_at >= i64::from(SEARCHED_ROWS);
    let next = match filter.walk {
        Walk::Back { .. } => reach.last_id.filter(|_| is_cut_short),
        Walk::On { after_id } => reach.last_id.or(Some(after_id)),
    };
    let total = match rows.len() {
        0 if offset > 0 => db.first::<Total>(count(filter)).await?.map_or(0, |row| row.total),
        found => i64::from(offset) + i64::try_from(found).unwrap_or(0),
    };
    Ok(Found { rows, total, total_is_a_minimum: is_cut_short, next })
}

/// How far a walk came.
#[derive(Debug, Default, Deserialize)]
struct Reach {
    looked_at: i64,
    last_id: Option<i64>,
}

/// The statement of a page, for looking at its plan, too.
pub fn page(filter: &Filter, limit: u32, offset: u32) -> Statement {
    let mut sql = Sql::default();
    let walked = sql.walked("*", filter);
    let matches = sql.matches(filter);
    let (limit, offset) = (sql.bind(limit + 1), sql.bind(offset));
    sql.statement(format!(
        "SELECT id, at, service, level, message, user_id, job_run_id, import_job_id, request_id, fields \
         FROM ({walked}) WHERE {matches} LIMIT CAST({limit} AS INTEGER) OFFSET CAST({offset} AS INTEGER)"
    ))
}

fn count(filter: &Filter) -> Statement {
    let mut sql = Sql::default();
    let walked = sql.walked("*", filter);
    let matches = sql.matches(filter);
    sql.statement(format!(
        "SELECT count(*) AS total FROM (SELECT 1 FROM ({walked}) WHERE {matches} LIMIT {COUNTED_MATCHES})"
    ))
}

fn reach(filter: &Filter) -> Statement {
    let mut sql = Sql::default();
    let walked = sql.walked("id", filter);
    let last = if matches!(filter.walk, Walk::Back { .. }) { "min" } else { "max" };
    sql.statement(format!("SELECT count(*) AS looked_at, {last}(id) AS last_id FROM ({walked})"))
}

/// A statement in the making.
#[derive(Default)]
struct Sql {
    parameters: Vec<Parameter>,
}

impl Sql {
    /// Binds a value and gives the name it goes by.
    fn bind(&mut self, value: impl Into<Parameter>) -> String {
        self.parameters.push(value.into());
        format!("?{}", self.parameters.len())
    }

    fn statement(self, sql: String) -> Statement {
        Statement { sql: sql.into(), parameters: self.parameters }
    }

    /// The rows that are looked at, in the order they are looked at.
    fn walked(&mut self, columns: &str, filter: &Filter) -> String {
        let (index, mut terms) = self.key(filter);
        let before = filter.until.map(|until| logs::first_id(until.plus_ms(LONGEST_WAIT_MS)));
        let since = filter.since.map(|since| logs::first_id(since) - 1);
        let (lowest, highest, order) = match filter.walk {
            Walk::Back { before_id } => (since, before_id.into_iter().chain(before).min(), "DESC"),
            Walk::On { after_id } => (since.max(Some(after_id)), before, "ASC"),
        };
        if let Some(id) = lowest {
            terms.push(format!("id > {}", self.bind(id)));
        }
        if let Some(id) = highest {
            terms.push(format!("id < {}", self.bind(id)));
        }
        let indexed = index.map_or_else(|| "NOT INDEXED".to_owned(), |index| format!("INDEXED BY {index}"));
        let terms = if terms.is_empty() { "TRUE".to_owned() } else { terms.join(" AND ") };
        format!("SELECT {columns} FROM logs {indexed} WHERE {terms} ORDER BY id {order} LIMIT {SEARCHED_ROWS}")
    }

    /// The index of the rarest thing that is asked for.
    fn key(&mut self, filter: &Filter) -> (Option<&'static str>, Vec<String>) {
        let alarming = |level: &&String| matches!(level.as_str(), "warning" | "error");
        if let Some(id) = &filter.request_id {
            (Some("logs_of_request"), vec![format!("request_id = {}", self.bind(id.as_str()))])
        } else if let Some(id) = filter.job_run {
            (Some("logs_of_job_run"), vec![format!("job_run_id = {}", self.bind(id))])
        } else if let Some(id) = filter.import_job {
            (Some("logs_of_import"), vec![format!("import_job_id = {}", self.bind(id))])
        } else if let Some(level) = filter.level.as_ref().filter(alarming) {
            let level = format!("level = {}", self.bind(level.as_str()));
            (Some("logs_alarming"), vec![level, "level IN ('warning', 'error')".to_owned()])
        } else if let Some(id) = filter.user {
            (Some("logs_of_user"), vec![format!("user_id = {}", self.bind(id))])
        } else {
            (None, Vec::new())
        }
    }

    /// What a row that is looked at must fulfil.
    fn matches(&mut self, filter: &Filter) -> String {
        let mut terms = vec!["TRUE".to_owned()];
        let mut equal = |sql: &mut Self, column: &str, value: Option<Parameter>| {
            if let Some(value) = value {
                terms.push(format!("{column} = {}", sql.bind(value)));
            }
        };
        equal(self, "service", filter.service.clone().map(Into::into));
        equal(self, "level", filter.level.clone().map(Into::into));
        equal(self, "user_id", filter.user.map(Into::into));
        equal(self, "job_run_id", filter.job_run.map(Into::into));
        equal(self, "import_job_id", filter.import_job.map(Into::into));
        equal(self, "request_id", filter.request_id.clone().map(Into::into));
        if let Some(since) = filter.since {
            terms.push(format!("at >= {}", self.bind(since)));
        }
        if let Some(until) = filter.until {
            terms.push(format!("at < {}", self.bind(until)));
        }
        if let Some(q) = &filter.q {
            let q = self.bind(q.to_ascii_lowercase());
            terms.push(format!("(instr(lower(message), {q}) > 0 OR instr(lower(coalesce(fields, '')), {q}) > 0)"));
        }
        terms.join(" AND ")
    }
}
