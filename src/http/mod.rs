//! HTTP: every route on this page, and what all of them have in common.
//!
//! Must stay true: a route says in its line who is let through; the check is applied once for each group, before a body is read; every answer
//! carries a request id and the security headers; an unknown path or method is a problem document like any other error.

pub mod actions;
pub mod actor;
pub mod admin_audit;
pub mod admin_dead_letters;
pub mod admin_grants;
pub mod admin_imports;
pub mod admin_job_runs;
pub mod admin_logs;
pub mod admin_maintenance;
pub mod admin_row_imports;
pub mod admin_schedule;
pub mod admin_spotify;
pub mod admin_sync;
pub mod admin_tokens;
pub mod admin_user_deletion;
pub mod admin_users;
pub mod auth;
pub mod auth_spotify;
pub mod body;
pub mod entrance;
pub mod health;
pub mod history;
pub mod html;
pub mod lockout;
pub mod metrics;
pub mod oauth;
pub mod openapi;
pub mod origin;
pub mod paginated;
pub mod path_id;
pub mod query;
pub mod request_id;
pub mod storage;
pub mod tools;
pub mod upload;

use std::time::Duration;

use axum::{
    Router,
    http::{Method, StatusCode, header},
    middleware::{from_fn, from_fn_with_state},
    routing::{MethodRouter, any, delete, get, post},
};
use tower_http::cors::CorsLayer;

use crate::{app::App, error::Problem, mcp};

/// Who is let through to a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// Whoever may ask about a history: the admin, and credentials of one user.
    Asking,
    /// The admin alone.
    Admin,
}

/// One path of the router with all methods it answers.
pub struct Route {
    pub path: &'static str,
    pub access: Access,
    pub methods: MethodRouter<App>,
}

const fn public(path: &'static str, methods: MethodRouter<App>) -> Route {
    Route { path, access: Access::Public, methods }
}

const fn asking(path: &'static str, methods: MethodRouter<App>) -> Route {
    Route { path, access: Access::Asking, methods }
}

const fn admin(path: &'static str, methods: MethodRouter<App>) -> Route {
    Route { path, access: Access::Admin, methods }
}

/// Every route there is.
pub fn routes() -> Vec<Route> {
    vec![
        public("/", get(health::front_page)),
        public("/healthz", get(health::healthz)),
        public("/mcp/tools", get(tools::catalogue)),
        public("/openapi.json", get(actions::openapi)),
        public("/auth/login", get(auth_spotify::login)),
        public("/auth/callback", get(auth_spotify::callback)),
        asking("/mcp", post(mcp::endpoint::answer)),
        public("/.well-known/oauth-protected-resource", get(oauth::metadata::protected_resource)),
        public("/.well-known/oauth-protected-resource/mcp", get(oauth::metadata::protected_resource)),
        public("/.well-known/oauth-authorization-server", get(oauth::metadata::authorization_server)),
        public("/authorize", get(oauth::authorize::show).post(oauth::authorize::answer)),
        public("/token", post(oauth::token::token)),
        public("/register", post(oauth::register::register)),
        public("/revoke", post(oauth::token::revoke)),
        asking("/mcp/call", post(tools::call)),
        asking("/tools/{name}", post(tools::call_by_name)),
        asking("/history/users/{user_id}/plays", get(history::plays)),
        asking("/history/users/{user_id}/{question}", get(history::ask)),
        admin("/admin/users", get(admin_users::list).post(admin_users::create)),
        admin(
            "/admin/users/{user_id}/spotify-connection",
            get(admin_spotify::connection).post(admin_spotify::make_link).delete(admin_spotify::disconnect),
        ),
        admin(
            "/admin/users/{user_id}/spotify-credentials",
            get(admin_spotify::credentials)
                .put(admin_spotify::set_credentials)
                .delete(admin_spotify::delete_credentials),
        ),
        admin("/admin/users/{user_id}/pause", post(admin_sync::pause)),
        admin("/admin/users/{user_id}/resume", post(admin_sync::resume)),
        admin("/admin/users/{user_id}/trigger-sync", post(admin_sync::trigger)),
        admin("/admin/sync-status", get(admin_sync::status)),
        admin("/admin/schedule/{entry}/run", post(admin_schedule::run_now)),
        admin("/admin/sync/pause", post(admin_sync::pause_everyone)),
        admin("/admin/sync/resume", post(admin_sync::resume_everyone)),
        admin(
            "/admin/users/{user_id}",
            get(admin_users::show).patch(admin_users::update).delete(admin_user_deletion::delete),
        ),
        admin("/admin/users/{user_id}/import", post(admin_imports::upload)),
        admin("/admin/users/{user_id}/tokens", get(admin_tokens::list).post(admin_tokens::issue)),
        admin("/admin/users/{user_id}/tokens/{token_id}", delete(admin_tokens::revoke)),
        admin("/admin/users/{user_id}/row-imports", post(admin_row_imports::open)),
        admin("/admin/import-jobs", get(admin_imports::list)),
        admin("/admin/import-jobs/{import_job_id}", get(admin_imports::show)),
        admin("/admin/job-runs", get(admin_job_runs::list)),
        admin("/admin/job-runs/cancel", post(admin_job_runs::many::cancel)),
        admin("/admin/job-runs/retry", post(admin_job_runs::many::retry)),
        admin("/admin/job-runs/{job_run_id}", get(admin_job_runs::show)),
        admin("/admin/job-runs/{job_run_id}/cancel", post(admin_job_runs::cancel)),
        admin("/admin/job-runs/{job_run_id}/retry", post(admin_job_runs::retry)),
        admin("/admin/job-types", get(admin_job_runs::overview)),
        admin("/admin/job-types/{job_type}/pause", post(admin_job_runs::pause)),
        admin("/admin/job-types/{job_type}/resume", post(admin_job_runs::resume)),
        admin("/admin/dead-letters", get(admin_dead_letters::list)),
        admin("/admin/dead-letters/{dead_letter_id}/resend", post(admin_dead_letters::resend)),
        admin("/admin/maintenance/purge-logs", post(admin_maintenance::purge_logs)),
        admin("/admin/logs", get(admin_logs::list)),
        admin("/admin/import-jobs/{import_job_id}/rejects", get(admin_imports::rejects)),
        admin("/admin/import-jobs/{import_job_id}/slices", post(admin_row_imports::slice)),
        admin("/admin/import-jobs/{import_job_id}/verify", post(admin_row_imports::verify)),
        admin("/admin/import-jobs/{import_job_id}/cancel", post(admin_imports::cancel)),
        admin("/admin/import-jobs/{import_job_id}/retry", post(admin_imports::retry)),
        admin("/admin/grants", get(admin_grants::list)),
        admin("/admin/grants/{grant_id}", delete(admin_grants::revoke)),
        admin("/admin/audit", get(admin_audit::list)),
        admin("/admin/storage", get(storage::show)),
        admin("/admin/metrics", get(metrics::show)),
        admin("/admin/openapi.json", get(openapi::document)),
    ]
}

/// The routes with what all of them have in common.
pub fn router(app: App) -> Router {
    let (mut public, mut asking, mut admin) = (Router::new(), Router::new(), Router::new());
    for Route { path, access, methods } in routes() {
        let group = match access {
            Access::Public => &mut public,
            Access::Asking => &mut asking,
            Access::Admin => &mut admin,
        };
        *group = std::mem::take(group).route(path, methods);
    }
    // An unknown path below /admin is nobody's business either.
    let admin = admin
        .route("/admin", any(not_found))
        .route("/admin/{*unknown}", any(not_found))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(app.clone(), auth::require_admin))
        .layer(from_fn_with_state(app.clone(), lockout::damp));
    let asking = asking
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(app.clone(), auth::require_caller))
        .layer(from_fn_with_state(app.clone(), lockout::damp));
    public
        .merge(asking)
        .merge(admin)
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
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            request_id::HEADER,
            mcp::VERSION_HEADER,
            mcp::METHOD_HEADER,
            mcp::NAME_HEADER,
        ])
        .expose_headers([request_id::HEADER])
        .max_age(Duration::from_hours(1))
}

async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "There is nothing at this path.".to_owned())
}

async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "This path does not answer this method; see Allow.".to_owned())
}

#[cfg(test)]
mod tests;
