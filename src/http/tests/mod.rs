//! What must hold for every route, asked of the router's own table, so that a new route cannot be forgotten.

mod auth_matrix;
mod faults;
mod headers;
mod issued;
mod lists;
mod roles;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Method, Request, StatusCode, header, request},
};
use futures_executor::block_on;
use futures_util::stream;
use tower::ServiceExt;

use super::{Access, Route, routes};
use crate::testing::{TestApp, test_app::Answer};

/// Every method that a route may answer, but for those that follow from others (HEAD, OPTIONS).
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// One path of the table, with something in its holes.
struct Asked {
    template: &'static str,
    path: String,
    access: Access,
}

impl Asked {
    const fn is_admin_s(&self) -> bool {
        matches!(self.access, Access::Admin(_))
    }
}

/// Each path once, with the access of its first line.
fn every_path() -> Vec<Asked> {
    let mut seen = BTreeSet::new();
    let new = routes().into_iter().filter(|route| seen.insert(route.path));
    new.map(|Route { path, access, .. }| Asked { template: path, path: filled(path), access }).collect()
}

/// Who is let through by each method of each path, as the table says: a line by itself tells its methods in Allow.
pub fn every_operation() -> BTreeMap<(&'static str, Method), Access> {
    let mut operations = BTreeMap::new();
    for Route { path, access, methods } in routes() {
        let alone: Router = Router::new().route(path, methods);
        let request = Request::builder().method(Method::TRACE).uri(filled(path)).body(Body::empty()).unwrap();
        let refused = block_on(alone.oneshot(request)).unwrap();
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed = refused.headers()[header::ALLOW].to_str().unwrap().to_owned();
        for method in allowed.split(',').filter(|method| *method != "HEAD") {
            operations.insert((path, method.parse().unwrap()), access);
        }
    }
    operations
}

/// The answer, and whether the request's body was read for it.
fn send_watched(app: &TestApp, request: request::Builder, body: &'static str) -> (Answer, bool) {
    let touched = Arc::new(AtomicBool::new(false));
    let noticed = Arc::clone(&touched);
    let body = Body::from_stream(stream::once(async move {
        noticed.store(true, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from_static(body.as_bytes()))
    }));
    let answer = app.send(request.body(body).unwrap());
    (answer, touched.load(Ordering::Relaxed))
}

/// The same with a token.
fn ask_with(app: &TestApp, token: &str, method: &Method, path: &str, body: &'static str) -> (Answer, bool) {
    let request = Request::builder().method(method).uri(format!("http://listenlog.example{path}"));
    send_watched(app, request.header(header::AUTHORIZATION, format!("Bearer {token}")), body)
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
