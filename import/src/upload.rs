//! The archive as it is, in one request.

use std::{
    io::{self, Read},
    time::Instant,
};

use crate::{
    clock,
    complaint::Complaint,
    job::Job,
    local::LocalArchive,
    progress::{Screen, Standing, duration, grouped},
    server::Server,
};

/// The most that Cloudflare takes in one request on its Free and Pro plans.
/// <https://developers.cloudflare.com/workers/platform/limits/#request-limits>
pub const REQUEST_MAX_BYTES: u64 = 100_000_000;

/// Sends the archive; the id of its import.
pub fn send(
    server: &Server,
    user: i64,
    archive: &LocalArchive,
    again: bool,
    screen: &mut Screen,
) -> Result<i64, Complaint> {
    let again = if again { "&again=1" } else { "" };
    let path = format!("/admin/users/{user}/import?filename={}{again}", percent_encoded(&archive.filename));
    let source = archive.reader()?;
    let mut told = Told { source, sent_bytes: 0, total_bytes: archive.bytes, began_at: clock::now(), screen };
    let answer = server.stream(&path, "application/zip", archive.bytes, &mut told);
    screen.end();
    let answer = answer.map_err(|error| {
        let complaint = server.not_there(&error);
        Complaint { sentence: format!("The upload broke off; run it again. {}", complaint.sentence), ..complaint }
    })?;
    if !answer.is_success() {
        return Err(answer.refusal());
    }
    Ok(answer.read::<Job>()?.id)
}

/// Reads the archive and tells how much of it is gone.
struct Told<'a, R> {
    source: R,
    sent_bytes: u64,
    total_bytes: u64,
    began_at: Instant,
    screen: &'a mut Screen,
}

impl<R: Read> Read for Told<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.source.read(buffer)?;
        self.sent_bytes = self.sent_bytes.saturating_add(length as u64);
        self.screen.show(&standing(self.sent_bytes, self.total_bytes, self.began_at.elapsed().as_secs_f64()));
        Ok(length)
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded figures for people"
)]
fn standing(sent_bytes: u64, total_bytes: u64, seconds: f64) -> Standing {
    let share = sent_bytes as f64 / total_bytes.max(1) as f64;
    let left = if share > 0.0 { seconds * (1.0 - share) / share } else { 0.0 };
    Standing {
        doing: "Sending",
        percent: share * 100.0,
        pace: if seconds < 1.0 { String::new() } else { format!("  {} left", duration(left as u64)) },
        detail: format!("{} of {} bytes", grouped(sent_bytes), grouped(total_bytes)),
    }
}

/// For a query string.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(encoded, "%{byte:02X}").unwrap_or_default();
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_fit_for_a_query() {
        assert_eq!(percent_encoded("my data & é.zip"), "my%20data%20%26%20%C3%A9.zip");
    }

    #[test]
    fn what_is_sent_has_a_percentage_and_a_time() {
        let shown = standing(25, 100, 10.0);
        assert_eq!((shown.percent, shown.pace.as_str()), (25.0, "  30 s left"));
        assert!(standing(0, 0, 0.0).percent.abs() < f64::EPSILON);
    }
}
