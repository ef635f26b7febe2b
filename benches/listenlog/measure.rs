//! Clocks and percentiles.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Failure;

/// Now, for measuring how long something takes.
#[expect(clippy::disallowed_methods, reason = "a bench runs natively and is about real time")]
pub fn now() -> Instant {
    Instant::now()
}

/// Now, in milliseconds since 1970, for comparing with instants that the Worker stored on the same machine.
#[expect(clippy::disallowed_methods, reason = "a bench runs natively and is about real time")]
pub fn unix_ms() -> Result<i64, Failure> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

/// How long `work` takes, and what comes of it.
pub fn timed<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<(Duration, T), Failure> {
    let started = now();
    let result = work()?;
    Ok((started.elapsed(), result))
}

/// Durations of one thing done many times, ascending.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time that `percent` of all did not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let place = (self.0.len() * percent).div_ceil(100).max(1) - 1;
        self.0.get(place).copied().unwrap_or_default()
    }

    pub fn median(&self) -> Duration {
        self.percentile(50)
    }
}

/// Milliseconds, with their fraction.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// A count as a number to divide by.
pub fn number(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::INFINITY, f64::from)
}
