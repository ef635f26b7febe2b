//! Is it up, and what is it.

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use serde::Serialize;

#[derive(Serialize)]
pub struct Health {
    status: &'static str,
    version: &'static str,
}

/// GET /healthz: without touching the database.
pub async fn healthz() -> Json<Health> {
    Json(Health { status: "healthy", version: env!("CARGO_PKG_VERSION") })
}

#[derive(Serialize)]
struct FrontPage {
    message: &'static str,
    version: &'static str,
    tools: &'static str,
    health: &'static str,
}

/// GET /: a short page for people, JSON for clients that ask for it.
pub async fn front_page(headers: HeaderMap) -> Response {
    let wants_html = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if !wants_html {
        let version = env!("CARGO_PKG_VERSION");
        let page = FrontPage { message: "Listenlog", version, tools: "/mcp/tools", health: "/healthz" };
        return Json(page).into_response();
    }
    let mut response = Html(include_str!("front_page.html")).into_response();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                  frame-ancestors 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}
