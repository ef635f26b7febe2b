//! Is it up, and what is it.

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use serde::Serialize;

use super::query::Query;
use crate::{
    app::{App, StorageError},
    domain::instant::MINUTE_MS,
    error::AppError,
    http::html,
    store::{
        contract,
        gauges::{self, LastTick},
    },
};

#[derive(Serialize)]
pub struct Health {
    status: &'static str,
    version: &'static str,
    /// Only for `?deep=1`: each part and what is wrong with it, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Checks>,
    /// Only for `?deep=1`, and only on Workers: the most memory this isolate's module has needed so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
}

#[derive(Serialize)]
struct Checks {
    settings: String,
    database: String,
    archives: String,
    /// Whether the cron triggers fire.
    clock: String,
}

const OK: &str = "ok";

/// GET /healthz: without touching the database. With `?deep=1` every part is asked, and 503 says which one is ill.
pub async fn healthz(app: App, uri: Uri) -> Result<(StatusCode, Json<Health>), AppError> {
    let query = Query::parse(&uri, &["deep"])?;
    let version = env!("CARGO_PKG_VERSION");
    if query.one_of("deep", &["0", "1"])? != Some("1") {
        return Ok((StatusCode::OK, Json(Health { status: "healthy", version, checks: None, memory_bytes: None })));
    }
    let settings = app.config.admin.as_ref().map_or_else(ToString::to_string, |_| OK.to_owned());
    let database = match contract::check(&*app.db).await {
        Ok(()) => OK.to_owned(),
        Err(error) => unwell("The database does not answer as it should.", &error),
    };
    let archives = match app.archives.read("healthz", 0, 1).await {
        Ok(_) | Err(StorageError::Missing) => OK.to_owned(),
        Err(error) => unwell("The archive storage does not answer as it should.", &error),
    };
    let clock = clock(&app).await;
    let is_well = [&settings, &database, &archives, &clock].into_iter().all(|check| check == OK);
    let checks = Some(Checks { settings, database, archives, clock });
    let memory_bytes = memory_bytes();
    Ok(if is_well {
        (StatusCode::OK, Json(Health { status: "healthy", version, checks, memory_bytes }))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "unhealthy", version, checks, memory_bytes }))
    })
}

/// A minute's tick that is older than this did not come.
const MAX_TICK_AGE_MS: i64 = 5 * MINUTE_MS;
/// Cloudflare takes up to a quarter of an hour to begin with the cron triggers of a new Worker.
const MAX_FIRST_TICK_MS: i64 = 30 * MINUTE_MS;

/// The last tick of the clock must be young; before the first one, the first user must be.
async fn clock(app: &App) -> String {
    match gauges::last_tick(&*app.db).await {
        Ok(LastTick { last_tick_at: Some(at), .. }) if app.now().since_ms(at) > MAX_TICK_AGE_MS => {
            format!("The last cron tick was at {}.", at.to_rfc3339())
        }
        Ok(LastTick { last_tick_at: None, first_user_at: Some(at) }) if app.now().since_ms(at) > MAX_FIRST_TICK_MS => {
            "No cron tick has come yet.".to_owned()
        }
        Ok(_) => OK.to_owned(),
        Err(error) => unwell("The database could not tell when the clock last ticked.", &error),
    }
}

/// The module's linear memory. It never shrinks, so this is its peak.
#[cfg(target_arch = "wasm32")]
pub fn memory_bytes() -> Option<u64> {
    const PAGE_BYTES: u64 = 64 * 1024;
    u64::try_from(core::arch::wasm32::memory_size::<0>()).ok().map(|pages| pages * PAGE_BYTES)
}

#[cfg(not(target_arch = "wasm32"))]
pub const fn memory_bytes() -> Option<u64> {
    None
}

/// The sentence for the public; the cause goes to the log.
fn unwell(sentence: &str, cause: &dyn std::fmt::Display) -> String {
    tracing::error!(%cause, "{sentence}");
    sentence.to_owned()
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
    if !html::is_wanted(&headers) {
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

#[cfg(test)]
mod tests {
    use crate::{
        domain::instant::MINUTE_MS,
        testing::{TestApp, sqlite::Failure, test_app::NOW},
    };

    #[test]
    fn health_is_public_and_a_deep_look_names_what_is_ill() {
        let app = TestApp::new();
        assert_eq!(app.get("/healthz").json()["status"], "healthy");
        assert_eq!(app.app.db.usage().calls, 0);
        assert_eq!(app.get("/healthz?deep=1").json()["checks"]["database"], "ok");
        app.db.fail_after(0, Failure::BeforeWriting);
        let ill = app.get("/healthz?deep=1");
        assert_eq!(ill.status, 503);
        assert_ne!(ill.json()["checks"]["database"], "ok");
        assert_eq!(ill.json()["checks"]["archives"], "ok");
        let unset = TestApp::with_vars(&[]).get("/healthz?deep=1");
        assert_eq!(unset.status, 503);
        assert!(unset.json()["checks"]["settings"].as_str().unwrap().starts_with("ADMIN_AUTH_MODE"));
    }

    #[test]
    fn a_clock_that_stands_still_is_ill_and_a_new_one_may_take_its_time() {
        let app = TestApp::new();
        let clock = || {
            let answer = app.get("/healthz?deep=1");
            let said = answer.json()["checks"]["clock"].as_str().unwrap().to_owned();
            assert_eq!(answer.status == 200, said == "ok", "{said}");
            said
        };
        assert_eq!(clock(), "ok");
        app.post("/admin/users", &serde_json::json!({"display_name": "Ada"}));
        app.clock.set(NOW.plus_ms(29 * MINUTE_MS));
        assert_eq!(clock(), "ok");
        app.clock.set(NOW.plus_ms(31 * MINUTE_MS));
        assert_eq!(clock(), "No cron tick has come yet.");
        let tick = |sql: &str| app.db.with(|connection| connection.execute(sql, [NOW.0])).unwrap();
        tick("INSERT INTO schedule_ticks (name, last_run_at) VALUES ('sweep', ?1)");
        assert_eq!(clock(), "The last cron tick was at 2026-11-23T12:00:00Z.");
        app.clock.set(NOW.plus_ms(4 * MINUTE_MS));
        assert_eq!(clock(), "ok");
    }

    #[test]
    fn the_front_page_is_html_for_browsers_and_json_for_others() {
        let app = TestApp::new();
        assert_eq!(app.get("/").json()["message"], "Listenlog");
        let request = axum::http::Request::builder().uri("/").header("accept", "text/html,*/*");
        let page = app.send(request.body(axum::body::Body::empty()).unwrap());
        assert!(page.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
        assert!(String::from_utf8(page.bytes).unwrap().contains("Listenlog"));
    }
}
