//! From a request to its answer, with its log rows: what the `fetch` door and the native tests both call.
//!
//! Must stay true: the answer is ready before any log row is written; only what changes something, costs something or
//! goes wrong becomes a row, so that neither watching a progress page nor an assistant's handshakes fill the log.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Method, Response, StatusCode},
    response::IntoResponse,
};
use tower::ServiceExt;
use tracing::Instrument;

use super::{lockout::OnlyAsked, request_id::RequestId};
use crate::{
    app::App,
    error::{AppError, Problem},
    telemetry::{self, Capture, Service},
};

/// Answers one request with the router that was built of the same configuration.
pub async fn answer(router: &Router, app: App, mut request: Request) -> Response<Body> {
    let id = RequestId::accepted(request.headers().get(super::request_id::HEADER))
        .unwrap_or_else(|| RequestId(app.clock.random_hex()));
    let capture = Arc::new(Capture::new(Service::Http, id.0.clone(), app.config.log_level));
    request.extensions_mut().insert(id);
    let span = telemetry::open(&capture);
    let response = answer_in_span(router, &app, request).instrument(span.clone()).await;
    let background = Arc::clone(&app.background);
    background.wait_until(Box::pin(async move { telemetry::flush(&app, &capture).await }.instrument(span)));
    response
}

async fn answer_in_span(router: &Router, app: &App, mut request: Request) -> Response<Body> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    request.extensions_mut().insert(app.clone());
    let response = match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status().as_u16();
    let usage = app.db.usage();
    let (calls, rows_read, rows_written) = (usage.calls, usage.rows_read, usage.rows_written);
    if response.status() == StatusCode::TOO_MANY_REQUESTS || response.extensions().get::<OnlyAsked>().is_some() {
        // Whoever sends more than may be answered shall not fill the log either; that it began was logged. Nor shall
        // whoever comes without a credential.
        tracing::debug!(%method, %path, status, "A request was turned away");
    } else if status >= 400 {
        tracing::warn!(%method, %path, status, calls, rows_read, rows_written, "A request was refused");
    } else if method == Method::GET || method == Method::HEAD || path == "/mcp" {
        tracing::debug!(%method, %path, status, calls, rows_read, rows_written, "A request was answered");
    } else {
        tracing::info!(%method, %path, status, calls, rows_read, rows_written, "A request was answered");
    }
    response
}

/// The answer of a Worker that cannot even be set up: no log rows, no router.
pub fn refuse(error: &AppError) -> Response<Body> {
    let problem = Problem::from(error);
    let mut response = problem.clone().into_response();
    *response.body_mut() = Body::from(serde_json::to_vec(&problem).unwrap_or_default());
    response
}
