//! The demo's user, and its archive going in.
//!
//! A newcomer who runs the demo twice expects one demo user, not two, and no play twice: so the user is found again by
//! name, the same archive is sent again, and the Worker's own words say that nothing is new.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
    thread,
    time::Duration,
};

use listenlog_workbench::client::Client;
use serde_json::{Value, json};

use super::{
    complaint,
    figures::{at, grouped},
};

const NAME: &str = "Demo";
const POLL_EVERY: Duration = Duration::from_millis(150);
/// Polls without any movement before giving up: two minutes.
const PATIENCE: u32 = 800;

/// The id of the user "Demo", made if there is none.
pub fn demo_user(client: &Client) -> Result<i64, String> {
    let listed = client.get("/admin/users?limit=200").map_err(|error| error.to_string())?;
    if !listed.is_success() {
        return Err(complaint("The users cannot be listed", &listed));
    }
    let listed = listed.json();
    let users = at(&listed, "/items").as_array().or(listed.as_array()).map_or(&[][..], Vec::as_slice);
    let found = users.iter().find(|user| at(user, "/display_name") == NAME && at(user, "/spotify_user_id").is_null());
    if let Some(id) = found.and_then(|user| at(user, "/id").as_i64()) {
        say!("The user {NAME} is there from an earlier run; the archive goes in once more.");
        return Ok(id);
    }
    let body = json!({"display_name": NAME, "timezone": "Europe/Berlin"});
    let created = client.post_json("/admin/users", &body).map_err(|error| error.to_string())?;
    match at(&created.json(), "/id").as_i64() {
        Some(id) if created.is_success() => Ok(id),
        _ => Err(complaint("The user cannot be made", &created)),
    }
}

/// Sends the archive and waits for the import to end, showing how far it is.
pub fn upload(client: &Client, user: i64, archive: &[u8]) -> Result<(), String> {
    let path = format!("/admin/users/{user}/import?filename=demo.zip");
    let accepted = client.post_bytes(&path, "application/zip", archive).map_err(|error| error.to_string())?;
    let Some(job) = at(&accepted.json(), "/id").as_i64().filter(|_| accepted.is_success()) else {
        return Err(complaint("The archive was not accepted", &accepted));
    };
    let mut line = ProgressLine::new(io::stdout().is_terminal());
    let mut before = Value::Null;
    let mut unmoved = 0;
    while unmoved < PATIENCE {
        let answer = client.get(&format!("/admin/import-jobs/{job}")).map_err(|error| error.to_string())?;
        if !answer.is_success() {
            return Err(complaint("The import cannot be followed", &answer));
        }
        let view = answer.json();
        line.show(&view);
        match at(&view, "/status").as_str() {
            Some("success" | "partial") => {
                line.end();
                say!("{}", at(&view, "/message").as_str().unwrap_or("The import is complete."));
                return Ok(());
            }
            Some("pending" | "running") => {}
            _ => {
                line.end();
                let why = at(&view, "/error_message")
                    .as_str()
                    .or(at(&view, "/message").as_str())
                    .unwrap_or("no reason given");
                return Err(format!("The import did not succeed: {why}"));
            }
        }
        unmoved = if rows_read(&view) == rows_read(&before) { unmoved + 1 } else { 0 };
        before = view;
        thread::sleep(POLL_EVERY);
    }
    Err(format!("The import has not moved for two minutes; see {}/admin/import-jobs/{job}.", client.base_url()))
}

fn rows_read(view: &Value) -> Option<u64> {
    at(view, "/progress/rows_read").as_u64()
}

/// One line that is drawn over on a terminal; elsewhere a new line for every tenth of the way.
struct ProgressLine {
    on_terminal: bool,
    tenths_said: Option<u32>,
}

const BAR_WIDTH: u32 = 30;

impl ProgressLine {
    fn new(on_terminal: bool) -> Self {
        Self { on_terminal, tenths_said: None }
    }

    fn show(&mut self, view: &Value) {
        let (percent, text) = described(view);
        if self.on_terminal {
            // A line that cannot be drawn is no reason to stop.
            let mut terminal = io::stdout();
            _ = write!(terminal, "\r{text}\x1b[K").and_then(|()| terminal.flush());
        } else if self.tenths_said != Some(percent / 10) {
            self.tenths_said = Some(percent / 10);
            say!("{text}");
        }
    }

    fn end(&self) {
        if self.on_terminal {
            say!();
        }
    }
}

/// Whole percent, and the line: `[#####.........]  42 %  8,400 rows  61,000 rows/s  1 s left`.
fn described(view: &Value) -> (u32, String) {
    let progress = at(view, "/progress");
    let percent = at(progress, "/percent").as_f64().unwrap_or(0.0).clamp(0.0, 100.0);
    let percent = (0..=100_u32).rev().find(|whole| f64::from(*whole) <= percent).unwrap_or(0);
    let number =
        |name: &str| at(progress, &format!("/{name}")).as_u64().and_then(|number| usize::try_from(number).ok());
    let full = (percent * BAR_WIDTH / 100) as usize;
    let mut text = format!("[{}{}] {percent:>3} %", "#".repeat(full), ".".repeat(BAR_WIDTH as usize - full));
    for (name, unit) in [("rows_read", "rows"), ("rows_per_second", "rows/s"), ("seconds_left", "s left")] {
        if let Some(number) = number(name) {
            // Writing to a String cannot fail.
            _ = write!(text, "  {} {unit}", grouped(number));
        }
    }
    (percent, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_one_readable_line() {
        let view =
            json!({"progress": {"percent": 42.9, "rows_read": 8_400, "rows_per_second": 61_000, "seconds_left": 1}});
        let (percent, text) = described(&view);
        assert_eq!(percent, 42);
        assert_eq!(text, "[############..................]  42 %  8,400 rows  61,000 rows/s  1 s left");
        assert_eq!(described(&json!({})).0, 0);
        assert_eq!(described(&json!({"progress": {"percent": 400.0}})).0, 100);
    }
}
