//! Unpacks the export here and sends its rows in slices, for a Worker that may work only milliseconds for a request.
//!
//! Must stay true:
//! * a slice begins at its file's cursor, so that one that was sent twice counts once, and one that was lost is noticed;
//! * what the Worker cannot bear is halved, not given up;
//! * the import ends with the Worker's own count.

use std::time::{Duration, Instant};

use listenlog::export::{FileEnd, FileError, Format, Row, write_slice};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    clock,
    complaint::Complaint,
    job::{Job, Progress},
    local::{LocalArchive, LocalFile, Step},
    progress::{Screen, Standing, duration},
    server::{Answer, Server},
};

/// Rows that the free plan's 10 ms of processor time allow for, with room to spare: see the README.
pub const FREE_PLAN_ROWS: usize = 500;
/// For archives that are too large for one request. Fewer, larger slices cost fewer rows written.
pub const PAID_PLAN_ROWS: usize = 5_000;
/// A slice is not halved below this.
const FEWEST_ROWS: usize = 25;
/// Waits between tries of one slice, in seconds, when the Worker does not say how long.
const WAITS_SECONDS: [u64; 8] = [1, 2, 5, 10, 20, 30, 60, 60];
/// From here on a wait is told, with the way out.
const LONG_WAIT_SECONDS: u64 = 120;
/// Times another sender may have moved a cursor before it is left to it.
const MAX_SURPRISES: u32 = 3;

/// Sends what the Worker does not have yet, and asks it to count.
pub fn send(
    server: &Server,
    user: i64,
    archive: &LocalArchive,
    rows_at_once: usize,
    screen: &mut Screen,
) -> Result<Job, Complaint> {
    let opened = open(server, user, archive)?;
    if opened.files.iter().any(|file| file.cursor > 0) {
        screen.say("This archive was begun before; going on where it stopped.");
    }
    let mut sender =
        Sender { server, archive, id: opened.id, rows_at_once, screen, tally: Tally::of(archive, &opened) };
    let outcome = sender.send_files(&opened);
    sender.screen.end();
    outcome?;
    let answer = server.patiently("POST", &format!("/admin/import-jobs/{}/verify", opened.id), None)?;
    if !answer.is_success() && answer.status != CONFLICT {
        return Err(answer.refusal());
    }
    server.job(opened.id)
}

const CONFLICT: u16 = 409;
const TOO_LARGE: u16 = 413;

/// An import as it stands when this program begins.
#[derive(Deserialize)]
struct Opened {
    id: i64,
    files: Vec<OpenedFile>,
}

#[derive(Deserialize)]
struct OpenedFile {
    index: usize,
    cursor: u64,
    bytes_read: u64,
    is_settled: bool,
}

fn open(server: &Server, user: i64, archive: &LocalArchive) -> Result<Opened, Complaint> {
    let files: Vec<Value> = archive
        .files
        .iter()
        .map(|file| json!({"index": file.index, "name": file.name, "inflated_bytes": file.inflated_bytes}))
        .collect();
    let body = json!({
        "filename": archive.filename,
        "file_size_bytes": archive.bytes,
        "archive_sha256": archive.sha256,
        "files": files,
    });
    // Asked twice, the Worker finds the import that the first question opened.
    let answer = server.patiently("POST", &format!("/admin/users/{user}/row-imports"), Some(&body))?;
    if answer.is_success() { answer.read() } else { Err(answer.refusal()) }
}

struct Sender<'a> {
    server: &'a Server,
    archive: &'a LocalArchive,
    id: i64,
    rows_at_once: usize,
    screen: &'a mut Screen,
    tally: Tally,
}

/// How a file is over, in the Worker's words.
#[derive(Clone, Debug, PartialEq, Eq)]
struct End {
    status: &'static str,
    format: Option<Format>,
    note: Option<String>,
}

impl End {
    fn of(outcome: Result<FileEnd, FileError>, format: Option<Format>) -> Self {
        let note = match outcome {
            Ok(end) => end.note,
            Err(error) => Some(error),
        };
        let status = if note.is_some() { "incomplete" } else { "done" };
        Self { status, format, note: note.map(|note| note.to_string()) }
    }

    fn to_json(&self) -> Value {
        json!({"status": self.status, "format": self.format.map(Format::name), "note": self.note})
    }
}

/// What came of one slice.
enum Sent {
    Taken,
    /// The Worker's cursor is elsewhere.
    MovedTo(u64),
    /// The Worker takes no more rows of this import, and says why.
    Full(String),
}

impl Sender<'_> {
    fn send_files(&mut self, opened: &Opened) -> Result<(), Complaint> {
        let archive = self.archive;
        let mut inflated_before = 0_u64;
        let mut full: Option<String> = None;
        for file in &archive.files {
            let Some(known) = opened.files.iter().find(|known| known.index == file.index) else {
                return Err(Complaint::refused("The Worker does not know a file of this archive; try again."));
            };
            if known.is_settled {
                inflated_before = inflated_before.saturating_add(known.bytes_read);
                continue;
            }
            if let Some(why) = &full {
                let end = End { status: "incomplete", format: None, note: Some(why.clone()) };
                self.send_slice(file, known.cursor, known.bytes_read, None, &[], Some(&end))?;
                continue;
            }
            let mut cursor = known.cursor;
            let mut surprises = 0;
            loop {
                match self.send_file(file, cursor, inflated_before)? {
                    FileSent::Whole(inflated_bytes) => {
                        inflated_before = inflated_before.saturating_add(inflated_bytes);
                        break;
                    }
                    FileSent::MovedTo(_) if surprises >= MAX_SURPRISES => {
                        return Err(Complaint::refused(
                            "Something else sends rows of this archive at the same time; let it, or stop it and run this again.",
                        ));
                    }
                    FileSent::MovedTo(now) => {
                        surprises += 1;
                        cursor = now;
                    }
                    FileSent::Full(why) => {
                        full = Some(why);
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn send_file(&mut self, file: &LocalFile, from: u64, inflated_before: u64) -> Result<FileSent, Complaint> {
        let mut reader = match self.archive.rows(file, from, inflated_before)? {
            Ok(reader) => reader,
            Err(error) => {
                let end = End { status: "unreadable", format: None, note: Some(error.to_string()) };
                self.send_slice(file, from, 0, None, &[], Some(&end))?;
                return Ok(FileSent::Whole(0));
            }
        };
        let mut rows: Vec<Row> = Vec::new();
        let mut cursor = from;
        loop {
            let step = reader.step(&mut rows).map_err(|error| self.archive.gone(&error))?;
            let bytes_read = reader.inflated_bytes();
            let end = match step {
                Step::Further => None,
                Step::Over(outcome) => Some(End::of(outcome, reader.format())),
            };
            let is_last = end.is_some();
            // The format is known as soon as there is a row.
            let format = reader.format().filter(|format| *format != Format::NotHistory);
            while rows.len() >= self.rows_at_once || is_last {
                let count = rows.len().min(self.rows_at_once);
                let ends_file = end.as_ref().filter(|_| count == rows.len());
                let some = rows.get(..count).unwrap_or_default();
                match self.send_slice(file, cursor, bytes_read, format, some, ends_file)? {
                    Sent::Taken if ends_file.is_some() => return Ok(FileSent::Whole(bytes_read)),
                    Sent::Taken => {}
                    Sent::MovedTo(now) => return Ok(FileSent::MovedTo(now)),
                    Sent::Full(why) => {
                        let end = End { status: "incomplete", format, note: Some(why.clone()) };
                        self.send_slice(file, cursor, bytes_read, None, &[], Some(&end))?;
                        return Ok(FileSent::Full(why));
                    }
                }
                cursor = cursor.saturating_add(count as u64);
                rows.drain(..count);
            }
        }
    }

    /// Sends rows of a file, in smaller pieces if the Worker cannot bear so many at once.
    fn send_slice(
        &mut self,
        file: &LocalFile,
        from: u64,
        bytes_read: u64,
        format: Option<Format>,
        rows: &[Row],
        end: Option<&End>,
    ) -> Result<Sent, Complaint> {
        let path = format!("/admin/import-jobs/{}/slices", self.id);
        let mut cursor = from;
        let mut rest = rows;
        let mut tries = 0;
        loop {
            let count = rest.len().min(self.rows_at_once);
            let (some, behind) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            let body = json!({
                "file": file.index,
                "from": cursor,
                "bytes_read": bytes_read,
                "slice": format.filter(|_| !some.is_empty()).map(|format| json!(write_slice(format, some))),
                "end": end.filter(|_| behind.is_empty()).map(End::to_json),
            });
            let answer = match self.server.send("POST", &path, Some(&body)) {
                Ok(answer) => answer,
                Err(error) => {
                    let seconds = next_wait(&mut tries).ok_or_else(|| self.server.not_there(&error))?;
                    self.wait(seconds, None);
                    continue;
                }
            };
            match answer.status {
                200 => {
                    self.tally.add(file, &answer.read()?, bytes_read);
                    self.screen.show(&self.tally.standing(file));
                    cursor = cursor.saturating_add(count as u64);
                    rest = behind;
                    tries = 0;
                    if rest.is_empty() {
                        return Ok(Sent::Taken);
                    }
                }
                CONFLICT => return moved(&answer),
                TOO_LARGE => return Ok(Sent::Full(said(&answer))),
                500..=599 if answer.retry_after_seconds.is_none() && count > FEWEST_ROWS => {
                    self.rows_at_once = (count / 2).max(FEWEST_ROWS);
                }
                429 | 500..=599 => {
                    let seconds = match answer.retry_after_seconds {
                        Some(seconds) => seconds,
                        None => next_wait(&mut tries).ok_or_else(|| answer.refusal())?,
                    };
                    self.wait(seconds, Some(&answer));
                }
                _ => return Err(answer.refusal()),
            }
        }
    }

    fn wait(&mut self, seconds: u64, answer: Option<&Answer>) {
        if seconds >= LONG_WAIT_SECONDS {
            let why = answer.map_or_else(String::new, said);
            let wait = duration(seconds);
            self.screen
                .say(&format!("{why} Going on in {wait}; or stop this, and run it again later: nothing is lost."));
        }
        clock::sleep(Duration::from_secs(seconds));
    }
}

/// How far one file got.
enum FileSent {
    /// To its end, so many bytes of it.
    Whole(u64),
    MovedTo(u64),
    Full(String),
}

fn moved(answer: &Answer) -> Result<Sent, Complaint> {
    match answer.member("cursor").and_then(|cursor| cursor.as_u64()) {
        Some(cursor) => Ok(Sent::MovedTo(cursor)),
        // Cancelled, or ended by another.
        None => Err(Complaint::refused(said(answer))),
    }
}

fn said(answer: &Answer) -> String {
    let detail = answer.member("detail").and_then(|detail| detail.as_str().map(str::to_owned));
    detail.unwrap_or_else(|| format!("The Worker answered {}.", answer.status))
}

/// What a slice came to, or what there was before.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Counts {
    rows_read: u64,
    inserted: u64,
    merged: u64,
    duplicate: u64,
    skipped: u64,
    rejected: u64,
}

/// Sums for the screen.
struct Tally {
    counts: Counts,
    total_bytes: u64,
    settled_bytes: u64,
    /// Of the file in hand.
    current: (usize, u64),
    bytes_before: u64,
    began_at: Instant,
}

impl Tally {
    fn of(archive: &LocalArchive, opened: &Opened) -> Self {
        let bytes_before = opened.files.iter().map(|file| file.bytes_read).sum();
        let settled = opened.files.iter().filter(|file| file.is_settled);
        Self {
            counts: Counts::default(),
            total_bytes: archive.files.iter().map(|file| file.inflated_bytes).sum::<u64>().max(1),
            settled_bytes: settled.map(|file| file.bytes_read).sum(),
            current: (usize::MAX, 0),
            bytes_before,
            began_at: clock::now(),
        }
    }

    fn add(&mut self, file: &LocalFile, counts: &Counts, bytes_read: u64) {
        let sums = &mut self.counts;
        for (sum, count) in [
            (&mut sums.rows_read, counts.rows_read),
            (&mut sums.inserted, counts.inserted),
            (&mut sums.merged, counts.merged),
            (&mut sums.duplicate, counts.duplicate),
            (&mut sums.skipped, counts.skipped),
            (&mut sums.rejected, counts.rejected),
        ] {
            *sum = sum.saturating_add(count);
        }
        if self.current.0 != file.index {
            self.settled_bytes = self.settled_bytes.saturating_add(self.current.1);
        }
        self.current = (file.index, bytes_read);
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded figures for people"
    )]
    fn standing(&self, file: &LocalFile) -> Standing {
        let done = self.settled_bytes.saturating_add(self.current.1) as f64;
        let seconds = self.began_at.elapsed().as_secs_f64().max(0.001);
        let here = done - self.bytes_before as f64;
        let left = self.total_bytes as f64 - done;
        Standing::of_import(&Progress {
            percent: done / self.total_bytes as f64 * 100.0,
            rows_per_second: Some((self.counts.rows_read as f64 / seconds) as u64),
            seconds_left: (here > 0.0).then_some((left.max(0.0) * seconds / here).ceil() as u64),
            current_file: Some(file.name.clone()),
            rows_read: self.counts.rows_read,
            inserted: self.counts.inserted,
            merged: self.counts.merged,
            duplicate: self.counts.duplicate,
            skipped: self.counts.skipped,
            rejected: self.counts.rejected,
            files: Vec::new(),
        })
    }
}

/// How long to wait before one more try, if there is one.
fn next_wait(tries: &mut usize) -> Option<u64> {
    let wait = WAITS_SECONDS.get(*tries).copied();
    *tries = tries.saturating_add(1);
    wait
}
