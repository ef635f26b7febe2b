//! The small ports on Workers: clock, queue, work after the answer, console.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};
use wasm_bindgen::JsValue;
use worker::{Context, Delay, Queue, QueueContentType, RateLimiter, RawMessageBuilder, send::SendFuture};

use crate::{
    app::{Background, Clock, JobQueue, QueueError, RateLimit},
    config::LogLevel,
    domain::{hexadecimal, instant::Millis},
    jobs::message::JobMessage,
};

#[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 fit")]
pub fn now() -> Millis {
    Millis(js_sys::Date::now() as i64)
}

pub fn console(level: LogLevel, line: &str) {
    match level {
        LogLevel::Debug | LogLevel::Info => worker::console_log!("{line}"),
        LogLevel::Warning => worker::console_warn!("{line}"),
        LogLevel::Error => worker::console_error!("{line}"),
    }
}

pub struct WorkersClock;

impl Clock for WorkersClock {
    fn now(&self) -> Millis {
        now()
    }

    fn breathe(&self) -> BoxFuture<'static, ()> {
        Box::pin(SendFuture::new(Delay::from(Duration::from_millis(1))))
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        Box::pin(SendFuture::new(Delay::from(wait)))
    }

    fn random_hex(&self) -> String {
        let mut bytes = [0_u8; 16];
        if getrandom::fill(&mut bytes).is_err() {
            // Ids, not secrets: the clock is unlike enough if the platform ever has no randomness.
            bytes = i128::from(now().0).to_be_bytes();
        }
        hexadecimal::digits(&bytes)
    }

    fn secret_bytes(&self) -> Option<[u8; 32]> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).is_ok().then_some(bytes)
    }
}

pub struct WorkersQueue(Queue);

impl WorkersQueue {
    pub const fn new(queue: Queue) -> Self {
        Self(queue)
    }
}

impl JobQueue for WorkersQueue {
    fn send<'a>(&'a self, message: &'a JobMessage) -> BoxFuture<'a, Result<(), QueueError>> {
        let failed = |error: &dyn std::fmt::Display| QueueError(error.to_string());
        Box::pin(SendFuture::new(async move {
            // As text: a map sent through `send` arrives empty (workers-rs issue 1013).
            let text = serde_json::to_string(message).map_err(|error| failed(&error))?;
            let message =
                RawMessageBuilder::new(JsValue::from_str(&text)).build_with_content_type(QueueContentType::Text);
            self.0.send_raw(message).await.map_err(|error| failed(&error))
        }))
    }
}

/// The rate-limit binding: its limit and period stand in `wrangler.toml`.
pub struct WorkersRateLimit(RateLimiter);

impl WorkersRateLimit {
    pub const fn new(limiter: RateLimiter) -> Self {
        Self(limiter)
    }
}

impl RateLimit for WorkersRateLimit {
    fn count<'a>(&'a self, key: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(SendFuture::new(async move {
            match self.0.limit(key.to_owned()).await {
                Ok(outcome) => outcome.success,
                Err(error) => {
                    let error = error.to_string();
                    tracing::error!(error = error.lines().next().unwrap_or_default(), "The rate limiter failed");
                    true
                }
            }
        }))
    }
}

/// Work after the answer, through the request's `waitUntil`.
pub struct AfterAnswer(Context);

impl AfterAnswer {
    pub const fn new(context: Context) -> Self {
        Self(context)
    }
}

impl Background for AfterAnswer {
    fn wait_until(&self, work: BoxFuture<'static, ()>) {
        self.0.wait_until(work);
    }
}

/// In a message or a tick nobody waits for an answer: the caller awaits such work itself.
pub struct Now;

impl Background for Now {
    fn wait_until(&self, work: BoxFuture<'static, ()>) {
        wasm_bindgen_futures::spawn_local(work.map(|()| ()));
    }
}
