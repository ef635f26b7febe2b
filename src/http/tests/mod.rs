//! What must hold for every route, asked of the router's own table, so that a new route cannot be forgotten.

mod auth_matrix;
mod faults;
mod headers;
mod issued;
mod lists;

use axum::http::Method;

use super::{Access, Route, routes};
use crate::testing::TestApp;

/// Every method that a route may answer, but for those that follow from others (HEAD, OPTIONS).
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// One path of the table, with something in its holes.
struct Asked {
    template: &'static str,
    path: String,
    access: Access,
}

fn every_path() -> Vec<Asked> {
    let asked = |Route { path, access, .. }: Route| Asked { template: path, path: filled(path), access };
    routes().into_iter().map(asked).collect()
}

/// `/admin/users/1` for `/admin/users/{user_id}`.
fn filled(template: &str) -> String {
    let parts = template.split('/').map(|part| match part {
        "{name}" => "history_coverage",
        "{question}" => "coverage",
        hole if hole.starts_with('{') => "1",
        word => word,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// All that is stored, but for the log: a line for each row of each table, object and message.
fn stored(app: &TestApp) -> Vec<String> {
    let tables = app.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('logs') ORDER BY name");
    let mut lines = Vec::new();
    for table in tables {
        let name = table.trim_start_matches("Text([").trim_end_matches("])");
        let name: String = name.split(", ").filter_map(|byte| byte.parse::<u8>().ok()).map(char::from).collect();
        lines.extend(app.rows(&format!("SELECT * FROM {name}")).into_iter().map(|row| format!("{name}: {row}")));
    }
    lines.extend(app.archives.keys().into_iter().map(|key| format!("object: {key}")));
    lines.push(format!("messages: {}", app.queue.len()));
    lines
}
