//! HTTP: every route on this page, and what all of them have in common.
//!
//! Must stay true: a route says in its line who is let through, and which role it takes; the check is applied once for each group, before a
//! body is read; every answer carries a request id and the security headers; an unknown path or method is a problem document like any other error.

pub mod actions;
pub mod actor;
pub mod admin_audit;
pub mod admin_dead_letters;
pub mod admin_grants;
pub mod admin_imports;
pub mod admin_job_runs;
pub mod admin_logs;
pub mod admin_maintenance;
pub mod admin_role_tokens;
pub mod admin_row_imports;
pub mod admin_schedule;
pub mod admin_spotify;
pub mod admin_sync;
pub mod admin_tokens;
pub mod admin_user_deletion;
pub mod admin_users;
pub mod app_of_request;
pub mod auth;
pub mod auth_spotify;
pub mod body;
pub mod entrance;
pub mod health;
pub mod history;
pub mod html;
pub mod issuing;
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
    routing::{MethodRouter, any, delete, get, patch, post},
};
use tower_http::cors::CorsLayer;

use crate::{config::Config, domain::role::Role, error::Problem, mcp};

/// Who is let through to a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// Whoever may ask about a history: the admin, and credentials of one user.
    Asking,
    /// The admin, and tokens with this role or a larger one.
    Admin(Role),
}

/// One path of the router with methods it answers. Methods that take another role stand in a line of their own.
pub struct Route {
    pub path: &'static str,
    pub access: Access,
    pub methods: MethodRouter,
}

const fn public(path: &'static str, methods: MethodRouter) -> Route {
    Route { path, access: Access::Public, methods }
}

const fn asking(path: &'static str, methods: MethodRouter) -> Route {
    Route { path, access: Access::Asking, methods }
}

/// For looking: it changes nothing, and tells nothing of credentials or of who did what.
const fn viewer(path: &'static str, methods: MethodRouter) -> Route {
    Route { path, access: Access::Admin(Role::Viewer), methods }
}

/// For the everyday work: what it does can be done again, or undone.
const fn operator(path: &'static str, methods: MethodRouter) -> Route {
    Route { path, access: Access::Admin(Role::Operator), methods }
}

/// For all else: who is let in, what is gone for good, and the record of who did what.
const fn admin(path: &'static str, methods: MethodRouter) -> Route {
    Route { path, access: Access::Admin(Role::Admin), methods }
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
        viewer("/admin/users", get(admin_users::list)),
        operator("/admin/users", post(admin_users::create)),
        viewer("/admin/users/{user_id}", get(admin_users::show)),
        operator("/admin/users/{user_id}", patch(admin_users::update)),
        admin("/admin/users/{user_id}", delete(admin_user_deletion::delete)),
        viewer("/admin/users/{user_id}/spotify-connection", get(admin_spotify::connection)),
        operator("/admin/users/{user_id}/spotify-connection", post(admin_spotify::make_link)),
        admin("/admin/users/{user_id}/spotify-connection", delete(admin_spotify::disconnect)),
        admin(
            "/admin/users/{user_id}/spotify-credentials",
            get(admin_spotify::credentials)
                .put(admin_spotify::set_credentials)
                .delete(admin_spotify::delete_credentials),
        ),
        operator("/admin/users/{user_id}/pause", post(admin_sync::pause)),
        operator("/admin/users/{user_id}/resume", post(admin_sync::resume)),
        operator("/admin/users/{user_id}/trigger-sync", post(admin_sync::trigger)),
        viewer("/admin/sync-status", get(admin_sync::status)),
        operator("/admin/schedule/{entry}/run", post(admin_schedule::run_now)),
        operator("/admin/sync/pause", post(admin_sync::pause_everyone)),
        operator("/admin/sync/resume", post(admin_sync::resume_everyone)),
        operator("/admin/users/{user_id}/import", post(admin_imports::upload)),
        admin("/admin/users/{user_id}/tokens", get(admin_tokens::list).post(admin_tokens::issue)),
        admin("/admin/users/{user_id}/tokens/{token_id}", delete(admin_tokens::revoke)),
        operator("/admin/users/{user_id}/row-imports", post(admin_row_imports::open)),
        viewer("/admin/import-jobs", get(admin_imports::list)),
        viewer("/admin/import-jobs/{import_job_id}", get(admin_imports::show)),
        viewer("/admin/job-runs", get(admin_job_runs::list)),
        operator("/admin/job-runs/cancel", post(admin_job_runs::many::cancel)),
        operator("/admin/job-runs/retry", post(admin_job_runs::many::retry)),
        viewer("/admin/job-runs/{job_run_id}", get(admin_job_runs::show)),
        operator("/admin/job-runs/{job_run_id}/cancel", post(admin_job_runs::cancel)),
        operator("/admin/job-runs/{job_run_id}/retry", post(admin_job_runs::retry)),
        viewer("/admin/job-types", get(admin_job_runs::overview)),
        operator("/admin/job-types/{job_type}/pause", post(admin_job_runs::pause)),
        operator("/admin/job-types/{job_type}/resume", post(admin_job_runs::resume)),
        viewer("/admin/dead-letters", get(admin_dead_letters::list)),
        operator("/admin/dead-letters/{dead_letter_id}/resend", post(admin_dead_letters::resend)),
        admin("/admin/maintenance/purge-logs", post(admin_maintenance::purge_logs)),
        viewer("/admin/logs", get(admin_logs::list)),
        viewer("/admin/import-jobs/{import_job_id}/rejects", get(admin_imports::rejects)),
        operator("/admin/import-jobs/{import_job_id}/slices", post(admin_row_imports::slice)),
        operator("/admin/import-jobs/{import_job_id}/verify", post(admin_row_imports::verify)),
        operator("/admin/import-jobs/{import_job_id}/cancel", post(admin_imports::cancel)),
        operator("/admin/import-jobs/{import_job_id}/retry", post(admin_imports::retry)),
        admin("/admin/tokens", get(admin_role_tokens::list).post(admin_role_tokens::issue)),
        admin("/admin/tokens/{token_id}", delete(admin_role_tokens::revoke)),
        admin("/admin/grants", get(admin_grants::list)),
        admin("/admin/grants/{grant_id}", delete(admin_grants::revoke)),
        admin("/admin/audit", get(admin_audit::list)),
        viewer("/admin/storage", get(storage::show)),
        viewer("/admin/metrics", get(metrics::show)),
        viewer("/admin/openapi.json", get(openapi::document)),
    ]
}

/// The routes with what all of them have in common. To be built once: it takes longer than most answers.
pub fn router(config: &Config) -> Router {
    let (mut public, mut asking, mut admin) = (Router::new(), Router::new(), Router::new());
    for Route { path, access, methods } in routes() {
        let (group, methods) = match access {
            Access::Public => (&mut public, methods),
            Access::Asking => (&mut asking, methods),
            Access::Admin(role) => (&mut admin, methods.route_layer(from_fn_with_state(role, auth::require_role))),
        };
        *group = std::mem::take(group).route(path, methods);
    }
    // An unknown path below /admin is nobody's business either.
    let admin = admin
        .route("/admin", any(not_found))
        .route("/admin/{*unknown}", any(not_found))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(auth::require_admin))
        .layer(from_fn(lockout::damp));
    let asking = asking
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(auth::require_caller))
        .layer(from_fn(lockout::damp));
    public
        .merge(asking)
        .merge(admin)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(cors(config))
        .layer(from_fn(request_id::finish))
        .with_state(())
}

/// For pages of the origins that are set, and of no other.
fn cors(config: &Config) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(config.cors_allowed_origins.clone())
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
