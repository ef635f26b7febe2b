//! The clock of the local runtime, which fires no cron trigger by itself.
//!
//! Must stay true: what `wrangler.toml` lists is what fires, at the minutes it would fire at when deployed.

use std::{
    fs, io,
    path::Path,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::client::Client;

/// The cron expressions of a configuration: of the kinds `* * * * *` and `17 * * * *`.
///
/// # Errors
/// When the file cannot be read, or lists another kind.
pub fn crons(root: &Path) -> io::Result<Vec<String>> {
    let configuration = fs::read_to_string(root.join("wrangler.toml"))?;
    let line = configuration.lines().find_map(|line| line.strip_prefix("crons = ")).unwrap_or("[]");
    let crons: Vec<String> = serde_json::from_str(line)?;
    match crons.iter().find(|cron| minute_of(cron).is_none()) {
        None => Ok(crons),
        Some(other) => Err(io::Error::other(format!("the cron {other} is of a kind that is not known here"))),
    }
}

/// When a cron of a known kind fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Minute {
    Every,
    Of(u64),
}

fn minute_of(cron: &str) -> Option<Minute> {
    match cron.strip_suffix(" * * * *")? {
        "*" => Some(Minute::Every),
        minute => minute.parse().ok().filter(|minute| *minute < 60).map(Minute::Of),
    }
}

fn is_due(cron: &str, minutes_since_1970: u64) -> bool {
    match minute_of(cron) {
        Some(Minute::Every) => true,
        Some(Minute::Of(minute)) => minutes_since_1970 % 60 == minute,
        None => false,
    }
}

/// Fires what is due, each minute, for as long as the program lives. A Worker that does not answer misses its turn.
pub fn keep_firing(client: Client, crons: Vec<String>) {
    const MINUTE_MS: u64 = 60_000;
    thread::spawn(move || {
        loop {
            let wait_ms = MINUTE_MS - now_ms() % MINUTE_MS;
            thread::sleep(Duration::from_millis(wait_ms));
            let now_ms = now_ms();
            for cron in crons.iter().filter(|cron| is_due(cron, now_ms / MINUTE_MS)) {
                let path = format!("/cdn-cgi/handler/scheduled?cron={}&time={now_ms}", cron.replace(' ', "%20"));
                drop(client.get(&path));
            }
        }
    });
}

#[expect(clippy::disallowed_methods, reason = "a native program, on the machine's own clock")]
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_s_crons_fire_at_their_minutes() {
        let crons = crons(&super::super::repository()).unwrap();
        assert!(crons.contains(&"* * * * *".to_owned()), "{crons:?}");
        assert!(is_due("* * * * *", 61) && is_due("17 * * * *", 77) && !is_due("17 * * * *", 78));
        assert_eq!((minute_of("61 * * * *"), minute_of("0 0 * * *"), minute_of("*/5 * * * *")), (None, None, None));
    }
}
