//! Real time, which a program on a terminal lives in.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use listenlog::domain::instant::Millis;

#[expect(clippy::disallowed_methods, reason = "this program runs natively, never on wasm")]
pub fn now() -> Instant {
    Instant::now()
}

/// The wall clock, for what rows may claim.
#[expect(clippy::disallowed_methods, reason = "this program runs natively, never on wasm")]
pub fn unix_now() -> Millis {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

pub fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}
