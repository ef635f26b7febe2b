//! The three doors of the Worker: `fetch`, `queue`, `scheduled`. Platform types stop here.
//!
//! Must stay true: every message of a batch gets its own verdict and no door ever returns an error for a batch; a fixed
//! answer leaves with its Content-Length; the configuration is read, and the router built, once for each isolate.

mod archives;
mod outbound;
mod platform;

use std::sync::{Arc, OnceLock};

use axum::{body::Body as AxumBody, response::IntoResponse};
use http_body_util::BodyExt;
use worker::{
    Context, Env, HttpRequest, MessageBatch, MessageExt, QueueRetryOptionsBuilder, Response, ScheduleContext,
    ScheduledEvent, event, send::SendFuture,
};

use crate::{
    app::App,
    config::{Config, SettingError},
    domain::instant::Millis,
    error::AppError,
    http::{self, lockout::Lockouts},
    jobs::{self, Verdict},
    store::{d1::D1, memory::Memory},
    telemetry,
    tools::kept::Kept,
};

/// Bindings, as `wrangler.toml` names them.
const DATABASE: &str = "DB";
const ARCHIVES: &str = "ARCHIVES";
const JOBS: &str = "JOBS";
const FAILED_LOGINS: &str = "FAILED_LOGINS";
/// The queue of messages that were given up.
const DEAD_JOBS: &str = "listenlog-jobs-dead";

/// Answers longer than this are streamed, without a Content-Length.
const MAX_FIXED_BYTES: u64 = 8 * 1024 * 1024;

#[event(start)]
fn start() {
    telemetry::install(telemetry::Platform { now: platform::now, console: platform::console });
}

#[event(fetch)]
async fn fetch(request: HttpRequest, env: Env, context: Context) -> worker::Result<Response> {
    static ROUTER: OnceLock<axum::Router> = OnceLock::new();
    let request = request.map(AxumBody::new);
    let head = request.method() == axum::http::Method::HEAD;
    let response = match open(&env, Arc::new(platform::AfterAnswer::new(context))) {
        Ok(app) => {
            let router = ROUTER.get_or_init(|| http::router(&app.config));
            http::entrance::answer(router, app, request).await
        }
        Err(error) => http::entrance::refuse(&AppError::NotConfigured(error)),
    };
    answered(response, head).await
}

#[event(queue)]
async fn queue(batch: MessageBatch<serde_json::Value>, env: Env, _context: Context) -> worker::Result<()> {
    let app = match open(&env, Arc::new(platform::Now)) {
        Ok(app) => app,
        Err(error) => {
            worker::console_error!("{error}");
            return Ok(());
        }
    };
    let is_dead = batch.queue() == DEAD_JOBS;
    for message in batch.raw_iter() {
        let body = message.body().as_string().unwrap_or_default();
        if is_dead {
            SendFuture::new(jobs::record_dead(&app, &body)).await;
            message.ack();
            continue;
        }
        let verdict = SendFuture::new(jobs::handle(&app, &body)).await;
        match verdict {
            Verdict::Done | Verdict::Bury { .. } => message.ack(),
            Verdict::Retry { after_seconds } => {
                let options = QueueRetryOptionsBuilder::new().with_delay_seconds(after_seconds).build();
                message.retry_with_options(&options);
            }
        }
    }
    Ok(())
}

#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    match open(&env, Arc::new(platform::Now)) {
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit")]
        Ok(app) => jobs::schedule::tick(&app, &event.cron(), Millis(event.schedule() as i64)).await,
        Err(error) => worker::console_error!("{error}"),
    }
}

fn open(env: &Env, background: Arc<dyn crate::app::Background>) -> Result<App, SettingError> {
    static CONFIG: OnceLock<Arc<Config>> = OnceLock::new();
    static MEMORY: OnceLock<Arc<Memory>> = OnceLock::new();
    static LOCKOUTS: OnceLock<Arc<Lockouts>> = OnceLock::new();
    static KEPT: OnceLock<Arc<Kept>> = OnceLock::new();
    let missing = |variable: &'static str| SettingError { variable, problem: "is not bound in wrangler.toml" };
    let config = if let Some(config) = CONFIG.get() {
        Arc::clone(config)
    } else {
        let read = Config::from_vars(|name| env.var(name).ok().map(|value| value.to_string()))?;
        Arc::clone(CONFIG.get_or_init(|| Arc::new(read)))
    };
    Ok(App {
        config,
        db: Arc::new(D1::new(env.d1(DATABASE).map_err(|_| missing(DATABASE))?)),
        archives: Arc::new(archives::R2::new(env.bucket(ARCHIVES).map_err(|_| missing(ARCHIVES))?)),
        queue: Arc::new(platform::WorkersQueue::new(env.queue(JOBS).map_err(|_| missing(JOBS))?)),
        clock: Arc::new(platform::WorkersClock),
        outbound: Arc::new(outbound::PlatformFetch),
        failed_logins: Arc::new(platform::WorkersRateLimit::new(
            env.rate_limiter(FAILED_LOGINS).map_err(|_| missing(FAILED_LOGINS))?,
        )),
        lockouts: Arc::clone(LOCKOUTS.get_or_init(Arc::default)),
        background,
        memory: Arc::clone(MEMORY.get_or_init(Arc::default)),
        kept: Arc::clone(KEPT.get_or_init(Arc::default)),
    })
}

/// An answer of known size as one piece, so that it leaves with its Content-Length; any other as a stream.
async fn answered(response: axum::http::Response<AxumBody>, head: bool) -> worker::Result<Response> {
    use http_body::Body;
    let exact = response.body().size_hint().exact().filter(|bytes| *bytes <= MAX_FIXED_BYTES);
    if exact.is_none() || head {
        return response.into_response().try_into();
    }
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.map(|collected| collected.to_bytes().to_vec()).unwrap_or_default();
    let mut builder = worker::ResponseBuilder::new().with_status(parts.status.as_u16());
    for (name, value) in &parts.headers {
        if let Ok(value) = value.to_str() {
            builder = builder.with_header(name.as_str(), value)?;
        }
    }
    Ok(if bytes.is_empty() { builder.empty() } else { builder.fixed(bytes) })
}
