//! Deleting a user with everything that is theirs.
//!
//! Must stay true: it is one batch, so a user is deleted whole or not at all; every table that holds something of a user is in
//! [`DEPENDENTS`] (a test asks the schema), what refers to other rows before what it refers to; the id is never given to anybody
//! else. What users share stays: tracks and artists.

use std::collections::BTreeMap;

use super::{Db, Statement, StoreError, assert_that, rows::Total};
use crate::domain::{ids::UserId, instant::Millis};

/// A table with rows of users.
pub struct Dependent {
    pub table: &'static str,
    /// Which of its rows are the user's, `?1`.
    pub of_user: &'static str,
}

const fn rows_of(table: &'static str, of_user: &'static str) -> Dependent {
    Dependent { table, of_user }
}

const OWN: &str = "user_id = ?1";
const OF_IMPORTS: &str = "import_job_id IN (SELECT id FROM import_jobs WHERE user_id = ?1)";
const OF_IMPORT_FILES: &str = "import_file_id IN (SELECT id FROM import_files \
    WHERE import_job_id IN (SELECT id FROM import_jobs WHERE user_id = ?1))";
const OF_WORK: &str = "import_job_id IN (SELECT id FROM import_jobs WHERE user_id = ?1) \
    OR job_run_id IN (SELECT id FROM job_runs WHERE user_id = ?1)";
const LOGGED: &str = "user_id = ?1 OR import_job_id IN (SELECT id FROM import_jobs WHERE user_id = ?1) \
    OR job_run_id IN (SELECT id FROM job_runs WHERE user_id = ?1)";

/// Every table that holds something of a user, in the order in which it is emptied.
pub const DEPENDENTS: &[Dependent] = &[
    rows_of("assistant_tokens", OWN),
    rows_of("oauth_grants", OWN),
    rows_of("spotify_tokens", OWN),
    rows_of("spotify_credentials", OWN),
    rows_of("possible_gaps", OWN),
    rows_of("sync_states", OWN),
    rows_of("logs", LOGGED),
    rows_of("dead_letters", OF_WORK),
    rows_of("import_rejects", OF_IMPORT_FILES),
    rows_of("import_files", OF_IMPORTS),
    rows_of("import_jobs", OWN),
    rows_of("job_runs", OWN),
    rows_of("plays", OWN),
    rows_of("users", "id = ?1"),
];

/// How many rows of each table are the user's; tables without any are left out.
pub type Counts = BTreeMap<&'static str, i64>;

/// Counts what a deletion would delete. `None`: no such user.
pub async fn count(db: &dyn Db, user: UserId) -> Result<Option<Counts>, StoreError> {
    let counts = read_counts(db.batch(counting(user)).await?)?;
    Ok(counts.contains_key("users").then_some(counts))
}

/// Deletes a user, with `record` in the same batch, and tells what was deleted. `None`: no such user; nothing happened.
///
/// Whoever works for the user at the moment finds neither lease nor row, and stops.
pub async fn delete(db: &dyn Db, user: UserId, record: Statement, now: Millis) -> Result<Option<Counts>, StoreError> {
    // The record of changes stays, without anything of the user in it.
    const FORGET: &str = "UPDATE audit SET user_id = NULL, before_json = NULL, after_json = NULL \
        WHERE user_id = ?1 OR target = 'users/' || ?2 OR substr(target, 1, length(?2) + 7) = 'users/' || ?2 || '/'";
    const RETIRE: &str = "INSERT INTO retired_user_ids (id, at) VALUES (?1, ?2)";
    let mut statements = vec![assert_that("EXISTS (SELECT 1 FROM users WHERE id = ?1)").bind(user)];
    statements.extend(counting(user));
    statements.extend(
        DEPENDENTS.iter().map(|Dependent { table, of_user }| {
            Statement::new(format!("DELETE FROM {table} WHERE {of_user}")).bind(user)
        }),
    );
    statements.push(Statement::new(FORGET).bind(user).bind(user.to_string()));
    statements.push(Statement::new(RETIRE).bind(user).bind(now));
    statements.push(record);
    match db.batch(statements).await {
        Ok(mut results) => {
            let counted = results.drain(1..=DEPENDENTS.len()).collect();
            Ok(Some(read_counts(counted)?))
        }
        Err(StoreError::AssertionFailed) => Ok(None),
        Err(error) => Err(error),
    }
}

fn counting(user: UserId) -> Vec<Statement> {
    let count = |Dependent { table, of_user }: &Dependent| {
        Statement::new(format!("SELECT count(*) AS total FROM {table} WHERE {of_user}")).bind(user)
    };
    DEPENDENTS.iter().map(count).collect()
}

fn read_counts(results: Vec<super::Rows>) -> Result<Counts, StoreError> {
    let mut counts = Counts::new();
    for (dependent, rows) in DEPENDENTS.iter().zip(results) {
        let total = rows.first::<Total>()?.map_or(0, |row| row.total);
        if total > 0 {
            counts.insert(dependent.table, total);
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests;
