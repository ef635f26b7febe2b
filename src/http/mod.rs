//! HTTP: every route on this page, and what all of them have in common.
//!
//! Must stay true: the admin check is applied once, to everything below `/admin`, before a body is read; every answer
//! carries a request id and the security headers; an unknown path or method is a problem document like any other error.

pub mod admin_imports;
pub mod admin_users;
pub mod auth;
pub mod body;
pub mod entrance;
pub mod health;
pub mod history;

pub mod query;
pub mod request_id;
pub mod tools;
pub mod upload;

use std::time::Duration;

use axum::{
    Router,
    http::{Method, StatusCode, header},
    middleware::{from_fn, from_fn_with_state},
    routing::{get, post},
};

use tower_http::cors::CorsLayer;

use crate::{app::App, error::Problem};

/// All routes.
pub fn router(app: App) -> Router {
    let admin = Router::new()
        .route("/users", get(admin_users::list).post(admin_users::create))
        .route("/users/{user_id}", get(admin_users::show))
        .route("/users/{user_id}/import", post(admin_imports::upload))
        .route("/import-jobs", get(admin_imports::list))
        .route("/import-jobs/{import_job_id}", get(admin_imports::show))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(app.clone(), auth::require_admin));

    let asking = Router::new()
        .route("/mcp/call", post(tools::call))
        .route("/tools/{name}", post(tools::call_by_name))
        .route("/history/users/{user_id}/plays", get(history::plays))
        .route("/history/users/{user_id}/{question}", get(history::ask))
        .layer(from_fn_with_state(app.clone(), auth::require_caller));

    Router::new()
        .route("/", get(health::front_page))
        .route("/healthz", get(health::healthz))
        .route("/mcp/tools", get(tools::catalogue))
        .merge(asking)
        .nest("/admin", admin)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(cors(&app))
        .layer(from_fn(request_id::finish))
        .with_state(app)
}

/// For pages of the origins that are set, and of no other.
fn cors(app: &App) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(app.config.cors_allowed_origins.clone())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, request_id::HEADER])
        .expose_headers([request_id::HEADER])
        .max_age(Duration::from_hours(1))
}

async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "There is nothing at this path.".to_owned())
}

async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "This path does not answer this method; see Allow.".to_owned())
}
