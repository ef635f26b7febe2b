//! Nothing of a deleted user is left, and everything of the other: asked of the schema, so that it holds for tables yet to come.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, types::Value};
use serde_json::json;

use super::*;
use crate::testing::TestApp;

/// Tables that hold nothing of a user, or what all users share, with the reason.
const SHARED: &[(&str, &str)] = &[
    ("tracks", "the catalogue is everybody's"),
    ("artists", "the catalogue is everybody's"),
    ("track_artists", "the catalogue is everybody's"),
    ("audit", "what was done stays on record, without what it was done to; see the test of the record"),
    ("retired_user_ids", "that an id was deleted is all it says"),
    ("paused_job_types", "kinds of work"),
    ("schedule_ticks", "the clock's"),
    ("spotify_blocks", "of apps, not of users"),
    ("spent_logins", "random ids that expire"),
    ("oauth_clients", "programs that anybody may register"),
    ("role_tokens", "of whoever runs it, not of the users"),
    ("assertions", "always empty"),
];

struct Column {
    name: String,
    kind: String,
    is_key: bool,
}

fn tables(connection: &Connection) -> BTreeMap<String, (String, Vec<Column>)> {
    let mut listed = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .unwrap();
    let listed = listed.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    listed
        .map(|row| {
            let (table, sql) = row.unwrap();
            let mut columns = connection.prepare("SELECT name, type, pk FROM pragma_table_info(?1)").unwrap();
            let columns = columns.query_map([&table], |row| {
                Ok(Column { name: row.get(0)?, kind: row.get(1)?, is_key: row.get::<_, i64>(2)? > 0 })
            });
            let columns = columns.unwrap().map(Result::unwrap).collect();
            (table, (sql, columns))
        })
        .collect()
}

/// The first word that a CHECK of this column allows, if it has one.
fn allowed_word(sql: &str, column: &str) -> Option<String> {
    let list = sql.split(&format!("{column} IN (")).nth(1)?;
    list.split('\'').nth(1).map(str::to_owned)
}

/// What a row of a user has in a column: ids lead to the user's own rows (each table has one, under the user's number), texts tell whose
/// they are.
fn filling(table: &str, sql: &str, column: &Column, user: i64) -> Value {
    let is_id = column.name == "id" || column.name.ends_with("_id");
    if let Some(word) = allowed_word(sql, &column.name) {
        return Value::Text(word);
    }
    match column.kind.as_str() {
        "INTEGER" if is_id && table != "plays" => Value::Integer(user),
        "INTEGER" if column.name == "user_id" => Value::Integer(user),
        "INTEGER" if column.is_key => Value::Integer(1_000_000 + user),
        "INTEGER" => Value::Integer(0),
        "BLOB" => Value::Blob(format!("of user {user}!").into_bytes()),
        _ if matches!(column.name.as_str(), "reasons" | "cursor" | "fields") || column.name.ends_with("_json") => {
            Value::Text(format!("{{\"of\": \"user {user}!\"}}"))
        }
        _ => Value::Text(format!("of user {user}!")),
    }
}

fn fill(connection: &Connection, table: &str, sql: &str, columns: &[Column], user: i64) {
    // A generated column cannot be written, and pragma_table_info leaves it out.
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let places: Vec<String> = (1..=names.len()).map(|number| format!("?{number}")).collect();
    let insert = format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), places.join(", "));
    let values = columns.iter().map(|column| filling(table, sql, column, user));
    let inserted = connection.execute(&insert, rusqlite::params_from_iter(values));
    inserted.unwrap_or_else(|error| panic!("{table} cannot be filled: {error}; teach `filling` about it"));
}

/// Every row of every table, as texts.
fn everything(connection: &Connection) -> BTreeMap<String, BTreeSet<String>> {
    let dump = |table: &String| {
        let mut rows = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let count = rows.column_count();
        let rows = rows.query_map([], |row| {
            let cells = (0..count).map(|index| match row.get::<_, Value>(index).unwrap() {
                Value::Text(text) => text,
                other => format!("{other:?}"),
            });
            Ok(cells.collect::<Vec<_>>().join("|"))
        });
        rows.unwrap().map(Result::unwrap).collect()
    };
    tables(connection).keys().map(|table| (table.clone(), dump(table))).collect()
}

#[test]
fn every_table_is_declared_as_users_or_as_shared() {
    let app = TestApp::new();
    let declared: BTreeSet<&str> =
        DEPENDENTS.iter().map(|dependent| dependent.table).chain(SHARED.iter().map(|(table, _)| *table)).collect();
    app.db.with(|connection| {
        for (table, (_, columns)) in tables(connection) {
            assert!(
                declared.contains(table.as_str()),
                "{table}: add it to DEPENDENTS in src/store/user_deletion.rs, or to SHARED in its tests with the reason"
            );
            let is_shared = SHARED.iter().any(|(shared, _)| *shared == table);
            let refers = columns.iter().any(|column| column.name == "user_id");
            assert!(!is_shared || !refers || table == "audit", "{table} refers to users and cannot be shared");
        }
    });
}

#[test]
fn nothing_of_a_deleted_user_is_left_and_everything_of_the_other() {
    let app = TestApp::new();
    app.db.with(|connection| {
        let schema = tables(connection);
        for user in [41, 42] {
            // Parents first: the reverse of the order in which they go.
            for Dependent { table, .. } in DEPENDENTS.iter().rev() {
                let (sql, columns) = &schema[*table];
                fill(connection, table, sql, columns, user);
            }
        }
    });
    app.archives.put("users/41/archive.zip", "PK".into());
    app.archives.put("users/42/archive.zip", "PK".into());
    app.archives.put("users/411/archive.zip", "PK".into());
    let before = app.db.with(everything);
    let answer = app.admin("DELETE", "/admin/users/41", "");
    assert_eq!(answer.status, 200, "{}", answer.json());
    let after = app.db.with(everything);
    for Dependent { table, .. } in DEPENDENTS {
        let of = |user: i64| before[*table].iter().filter(|row| row.contains(&format!("user {user}!"))).count();
        let has_texts = of(41) > 0;
        assert!(before[*table].len() >= 2, "{table} was not filled");
        assert_eq!(answer.json()["rows"][table], 1, "{table} is counted");
        assert!(after[*table].iter().all(|row| !row.contains("user 41!")), "{table} still tells of the user");
        let kept =
            before[*table].iter().filter(|row| if has_texts { row.contains("user 42!") } else { row.contains("(42)") });
        for row in kept {
            assert!(after[*table].contains(row), "{table} lost a row of the other user: {row}");
        }
    }
    let refers = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table} WHERE user_id = 41");
        app.db.with(|connection| connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap())
    };
    app.db.with(tables).iter().for_each(|(table, (_, columns))| {
        if columns.iter().any(|column| column.name == "user_id") {
            assert_eq!(refers(table), 0, "{table} still refers to the user");
        }
    });
    let mut left = app.archives.keys();
    left.sort();
    assert_eq!(left, ["users/411/archive.zip", "users/42/archive.zip"]);
}

#[test]
fn the_record_of_changes_stays_without_what_it_tells_of_the_user() {
    let app = TestApp::new();
    app.post("/admin/users", &json!({"display_name": "Ada Lovelace"}));
    app.post("/admin/users", &json!({"display_name": "Bo"}));
    app.admin("DELETE", "/admin/users/1", "");
    let record = app.get("/admin/audit").json();
    let actions: Vec<&str> =
        record["items"].as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["user.delete", "user.create", "user.create"]);
    assert_eq!(record["items"][0]["target"], "users/1");
    assert_eq!(record["items"][0]["after"], serde_json::Value::Null);
    let everything = app.db.with(everything);
    assert!(everything.values().flatten().all(|row| !row.contains("Lovelace")));
    assert!(everything["audit"].iter().any(|row| row.contains("Bo")));
}

#[test]
fn the_id_of_a_deleted_user_is_never_given_to_another() {
    let app = TestApp::new();
    app.post("/admin/users", &json!({"display_name": "Ada"}));
    app.admin("DELETE", "/admin/users/1", "");
    assert_eq!(app.post("/admin/users", &json!({"display_name": "Bo"})).json()["id"], 2);
}

/// What a listener of thirty years leaves: 200,000 plays, 50,000 log rows, and as many of somebody else. One batch of few statements, each
/// of which looks at the user's rows alone; D1 gives such a batch thirty seconds, and counts each row that goes as a row written.
#[test]
fn a_very_large_history_goes_in_one_batch_whose_work_is_that_of_its_own_rows() {
    const PLAYS: u64 = 200_000;
    const LOGS: u64 = 50_000;
    let app = TestApp::new();
    for name in ["Ada", "Bo"] {
        app.post("/admin/users", &json!({"display_name": name}));
    }
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {PLAYS})
         INSERT INTO plays (user_id, ended_at, track_id, ordinal, kind, flags)
         SELECT user_id, i * 1000, i % 5000, 0, 1, 0 FROM n, (SELECT 1 AS user_id UNION ALL SELECT 2);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2 * {LOGS})
         INSERT INTO logs (id, at, service, level, message, user_id, request_id)
         SELECT i * 2048 * 1000000, i, 'http', 'info', 'x', 1 + i % 2, 'r' || i FROM n;"
    );
    app.db.with(|connection| connection.execute_batch(&sql)).unwrap();
    let before = app.app.db.usage();
    #[expect(clippy::disallowed_methods, reason = "a native measurement")]
    let began = std::time::Instant::now();
    let steps = app.db.steps_of(|| {
        let deleted = app.admin("DELETE", "/admin/users/1", "");
        assert_eq!(deleted.json()["rows"]["plays"], PLAYS, "{}", deleted.json());
    });
    let after = app.app.db.usage();
    let (calls, statements) = (after.calls - before.calls, after.queries - before.queries);
    let written = after.rows_written - before.rows_written;
    println!("{calls} calls, {statements} statements, {written} rows, {steps} steps, {:?}", began.elapsed());
    assert_eq!(calls, 1);
    assert!(statements < 50, "the free plan lets a request ask for fifty: {statements}");
    assert!(written < PLAYS + LOGS + 100, "{written}");
    assert!(steps < 30 * (PLAYS + LOGS), "{steps} steps: more than the user's own rows were looked at");
    assert_eq!(app.get("/admin/users/2").json()["total_plays"], 0);
    assert_eq!(app.rows("SELECT count(*) FROM plays"), [format!("Integer({PLAYS})")]);
}
