//! `GET /admin/openapi.json`: the admin API, described for programs.
//!
//! The document is made of the routes' own types and parameters by the test that keeps it (`UPDATE_GOLDEN=1 cargo test --lib
//! openapi` writes it anew): the Worker carries the text and none of what renders it. Must stay true: every route under `/admin` is in it,
//! and no answer has a shape that it does not allow.

use axum::{
    http::{HeaderValue, header},
    response::IntoResponse,
};

#[cfg(test)]
mod document;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod tests;

const DOCUMENT: &str = include_str!("openapi/admin.golden.json");

/// GET /admin/openapi.json.
pub async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], DOCUMENT)
}
