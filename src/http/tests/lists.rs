//! What every list of the admin API has in common, and what the two longest-lived of them promised before.

use serde_json::{Value, json};

use crate::testing::TestApp;

const LISTS: [&str; 9] = [
    "/admin/users",
    "/admin/import-jobs",
    "/admin/job-runs",
    "/admin/logs",
    "/admin/dead-letters",
    "/admin/grants",
    "/admin/audit",
    "/admin/users/1/tokens",
    "/admin/tokens",
];

#[test]
fn a_list_of_nothing_is_an_empty_page_and_pages_have_bounds() {
    for path in LISTS {
        // Each on its own: a refusal is a log row.
        let app = TestApp::new();
        if path.starts_with("/admin/users/1/") {
            app.post("/admin/users", &json!({"display_name": "Ada"}));
        }
        let page = app.get(path).json();
        for (field, expected) in [("items", json!([])), ("total", json!(0)), ("limit", json!(50)), ("offset", json!(0))]
        {
            assert_eq!(page[field], expected, "{path}: {field}");
        }
        for query in ["limit=0", "limit=201", "limit=x", "offset=-1", "limit=5&limit=5", "ofset=1"] {
            assert_eq!(app.get(&format!("{path}?{query}")).status, 422, "{path}?{query}");
        }
        assert_eq!(app.get(&format!("{path}?limit=200&offset=7")).status, 200, "{path}");
    }
}

fn ids(app: &TestApp, path: &str) -> Vec<i64> {
    let page: Value = app.get(path).json();
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()).collect()
}

#[test]
fn users_are_paged_in_the_order_they_came_and_imports_newest_first_by_user_and_state() {
    let app = TestApp::new();
    for name in ["Ada", "Bo", "Cy"] {
        app.post("/admin/users", &json!({"display_name": name}));
    }
    assert_eq!(ids(&app, "/admin/users?limit=2"), [1, 2]);
    assert_eq!(ids(&app, "/admin/users?limit=2&offset=2"), [3]);
    assert_eq!(app.get("/admin/users?limit=2&offset=2").json()["total"], 3);
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6)
        INSERT INTO import_jobs (id, user_id, status, file_size_bytes, created_at, updated_at)
        SELECT i, 1 + i % 2, iif(i > 4, 'error', 'success'), 7, 0, 0 FROM n";
    app.db.with(|connection| connection.execute_batch(sql)).unwrap();
    for (query, expected) in [
        ("", vec![6, 5, 4, 3, 2, 1]),
        ("?limit=2&offset=1", vec![5, 4]),
        ("?user_id=2", vec![5, 3, 1]),
        ("?status=error", vec![6, 5]),
        ("?user_id=2&status=error", vec![5]),
        ("?user_id=3", vec![]),
    ] {
        assert_eq!(ids(&app, &format!("/admin/import-jobs{query}")), expected, "{query}");
    }
}
