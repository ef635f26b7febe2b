//! `/admin/storage`: how much is stored.

use axum::{Json, http::Uri};
use serde::Serialize;

use super::query::Query;
use crate::{
    app::App,
    error::AppError,
    store::gauges::{self, TableSize, UserPlays},
};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Storage {
    /// The whole database on its disk, indexes included; null when the database does not say.
    database_bytes: Option<u64>,
    tables: Vec<TableSize>,
    /// The first 200 users and how many plays each has.
    plays_by_user: Vec<UserPlays>,
}

/// GET /admin/storage.
pub async fn show(app: App, uri: Uri) -> Result<Json<Storage>, AppError> {
    Query::declared(&uri, &[])?;
    let (tables, plays_by_user) = gauges::sizes(&*app.db).await?;
    Ok(Json(Storage { database_bytes: app.db.usage().database_bytes, tables, plays_by_user }))
}

#[cfg(test)]
mod tests {
    use rusqlite::params;
    use serde_json::{Value, json};

    use crate::{
        domain::instant::Millis,
        store::gauges::MAX_COUNTED,
        testing::{
            TestApp,
            scene::{Scene, ScenePlay},
        },
    };

    fn table(answer: &Value, name: &str) -> Value {
        let tables = answer["tables"].as_array().unwrap();
        tables.iter().find(|table| table["name"] == name).cloned().unwrap_or_else(|| panic!("no {name} in {answer}"))
    }

    #[test]
    fn every_table_is_told_with_its_rows_and_every_user_with_their_plays() {
        let app = TestApp::new();
        Scene(&app).user(1, "UTC").user(2, "UTC").plays(1, &[ScenePlay::new(Millis(1_000), 7, 40_000)]);
        app.db.with(|connection| connection.execute("UPDATE users SET total_plays = 1 WHERE id = 1", [])).unwrap();
        let answer = app.get("/admin/storage").json();
        assert_eq!(table(&answer, "users"), json!({"name": "users", "rows": 2, "is_exact": true}));
        assert_eq!(table(&answer, "plays")["rows"], 1);
        assert_eq!(answer["plays_by_user"], json!([{"user_id": 1, "plays": 1}, {"user_id": 2, "plays": 0}]));
        assert!(answer["database_bytes"].as_u64().unwrap() > 4_096);
        let stored = app.rows("SELECT name FROM sqlite_master WHERE type = 'table'");
        assert_eq!(answer["tables"].as_array().unwrap().len(), stored.len());
        assert_eq!(app.get("/admin/storage?deep=1").status, 422);
    }

    #[test]
    fn a_large_table_is_counted_to_a_bound() {
        let app = TestApp::new();
        let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
            INSERT INTO artists (id, name) SELECT i, 'x' FROM n";
        app.db.with(|connection| connection.execute(many, params![MAX_COUNTED + 5])).unwrap();
        let answer = app.get("/admin/storage").json();
        assert_eq!(table(&answer, "artists"), json!({"name": "artists", "rows": MAX_COUNTED, "is_exact": false}));
    }
}
