//! What the program relies on in its database, checked on the database itself.
//!
//! Native tests run it on SQLite, `/healthz?deep=1` on D1: the two adapters are alike as long as both pass.

use serde_json::{Value, json};

use super::{Db, Statement, StoreError, assert_that};

const VALUES: &str = "SELECT ?1 AS a_text, CAST(?2 AS INTEGER) AS an_integer, ?3 AS a_null, CAST(?4 AS INTEGER) AS a_bool, \
    ?5 AS a_blob, typeof(?2) AS bound_as, CAST(?2 AS INTEGER) / 2 AS halved, ?2 + 0.5 AS a_real";

/// Sends one value of each kind there and back, and breaks one promise.
///
/// # Errors
/// The database could not be asked, or answers otherwise than the program expects.
pub async fn check(db: &dyn Db) -> Result<(), StoreError> {
    let largest_exact = 9_007_199_254_740_991_i64;
    let values = Statement::new(VALUES)
        .bind("Björk \u{1F3B5} \"'")
        .bind(5_i64)
        .bind(None::<i64>)
        .bind(true)
        .bind(vec![0_u8, 127, 255]);
    let large = Statement::new("SELECT CAST(?1 AS INTEGER) AS largest, value->>0 AS from_json FROM json_each(?2)")
        .bind(largest_exact)
        .bind(format!("[[{largest_exact}]]"));
    let mut results = db.batch(vec![values, large]).await?.into_iter();
    let expected = [
        json!({
            "a_text": "Björk \u{1F3B5} \"'", "an_integer": 5, "a_null": null, "a_bool": 1,
            "a_blob": [0, 127, 255], "bound_as": "real", "halved": 2, "a_real": 5.5,
        }),
        json!({"largest": largest_exact, "from_json": largest_exact}),
    ];
    for expected in expected {
        let found = results.next().and_then(|rows| rows.rows.into_iter().next()).map(Value::Object);
        if found.as_ref() != Some(&expected) {
            return Err(StoreError::Shape("the database gives back other values than it was given".to_owned()));
        }
    }
    match db.batch(vec![assert_that("1 = 2"), Statement::new("SELECT 1")]).await {
        Err(StoreError::AssertionFailed) => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(StoreError::Shape("the database let a batch pass that should have failed".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use crate::{
        store::{Db, Statement, StoreError, assert_that},
        testing::{TestApp, sqlite::Sqlite},
    };

    #[test]
    fn sqlite_keeps_the_contract() {
        block_on(super::check(&Sqlite::in_memory())).unwrap();
    }

    #[test]
    fn a_batch_that_fails_leaves_nothing() {
        let app = TestApp::new();
        let insert = Statement::new("INSERT INTO artists (id, name) VALUES (1, 'x')");
        let failed = block_on(app.app.db.batch(vec![insert, assert_that("1 = 2")]));
        assert!(matches!(failed, Err(StoreError::AssertionFailed)));
        assert!(app.rows("SELECT id FROM artists").is_empty());
        assert!(app.rows("SELECT * FROM assertions").is_empty());
    }

    #[test]
    fn what_d1_would_refuse_or_spoil_is_refused_before() {
        let db = Sqlite::in_memory();
        let refused = |statement: Statement| matches!(block_on(db.batch(vec![statement])), Err(StoreError::Unfit(_)));
        let many = (0..101_i64).fold(Statement::new("SELECT 1"), Statement::bind);
        assert!(refused(many));
        assert!(refused(Statement::new("SELECT ?1").bind("x".repeat(2_000_001))));
        assert!(refused(Statement::new("SELECT ?1").bind(i64::MAX)));
    }
}
