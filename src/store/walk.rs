//! Lists of what only grows, newest first: a bounded number of rows is looked at, however many there are.
//!
//! A page walks down the ids from the newest row, or from where the page before ended, and stops when it is full or has looked
//! at [`SEARCHED_ROWS`]; another walk over the same rows counts what matches. Must stay true: a page looks at no more than twice
//! that many rows, whatever is asked, and a walk that ends early says where the next one begins, so that nothing is silently not found.

use serde::{Deserialize, de::DeserializeOwned};

use super::{Db, Statement, StoreError, log_search::SEARCHED_ROWS};

/// What a list is of.
pub struct Listed<'a> {
    /// A table whose `id` grows.
    pub table: &'static str,
    pub columns: &'static str,
    /// A condition on a row, with parameters from `?1` on.
    pub matches: &'static str,
    /// Binds those.
    pub bind: &'a (dyn Fn(Statement) -> Statement + Sync),
}

/// Which part of a list.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Only rows below this id.
    pub before_id: Option<i64>,
    pub limit: u32,
    pub offset: u32,
}

/// A page.
#[derive(Debug)]
pub struct Walked<T> {
    pub rows: Vec<T>,
    /// How many match among the rows that were looked at.
    pub total: i64,
    /// More may match than `total` says.
    pub total_is_a_minimum: bool,
    /// Where the next page begins; `None`: there is nothing older.
    pub next_before_id: Option<i64>,
}

/// The id of a row, for a page to go on below it.
pub trait HasId {
    fn id(&self) -> i64;
}

#[derive(Debug, Default, Deserialize)]
struct Reach {
    total: i64,
    looked_at: i64,
    last_id: Option<i64>,
}

/// Reads a page.
pub async fn walk<T: DeserializeOwned + HasId>(
    db: &dyn Db,
    listed: &Listed<'_>,
    part: Part,
) -> Result<Walked<T>, StoreError> {
    let mut results = db.batch(statements(listed, part)).await?;
    let reach: Reach = results.pop().unwrap_or_default().first()?.unwrap_or_default();
    let mut rows: Vec<T> = results.pop().unwrap_or_default().all()?;
    let is_full = rows.len() > usize::try_from(part.limit).unwrap_or(usize::MAX);
    let is_cut_short = reach.looked_at >= i64::from(SEARCHED_ROWS);
    let next_before_id = if is_full {
        rows.pop();
        rows.last().map(HasId::id)
    } else {
        reach.last_id.filter(|_| is_cut_short)
    };
    Ok(Walked { rows, total: reach.total, total_is_a_minimum: is_cut_short, next_before_id })
}

/// The rows of a page and one more, and how far the walk came.
fn statements(listed: &Listed<'_>, part: Part) -> Vec<Statement> {
    let Listed { table, columns, matches, bind } = listed;
    // An id is a whole number of this program's own: nothing that would have to be bound.
    let before = part.before_id.map_or_else(String::new, |id| format!("WHERE id < {id} "));
    let walked = format!("SELECT * FROM {table} {before}ORDER BY id DESC LIMIT {SEARCHED_ROWS}");
    let (limit, offset) = (u64::from(part.limit) + 1, part.offset);
    let page = format!("SELECT {columns} FROM ({walked}) WHERE {matches} LIMIT {limit} OFFSET {offset}");
    let reach = format!(
        "SELECT count(*) FILTER (WHERE {matches}) AS total, count(*) AS looked_at, min(id) AS last_id FROM ({walked})"
    );
    vec![bind(Statement::new(page)), bind(Statement::new(reach))]
}
