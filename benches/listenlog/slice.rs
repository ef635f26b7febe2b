//! What the Worker does for one slice of rows from `make import`'s own unpacking, which is for the free plan: 10 ms of
//! processor time for one request.
//!
//! The limit is for the Worker alone, and its engine's profiler tells that time. Beside it stands the processor time of the
//! whole runtime, which is that of Worker, database and their plumbing together.

use std::{
    borrow::Cow,
    io::{Cursor, Read},
    time::Duration,
};

use listenlog::{
    domain::instant::Millis,
    export::{FileHint, HistoryFile, Limits, Row, write_slice},
};
use serde_json::{Value, json};
use zip::ZipArchive;

use crate::{
    Extent, Failure, measure,
    measure::{Times, ms, number},
    report::{Line, Report},
    say,
    worker::{Worker, accepted},
};

/// Rows of a slice, ascending from one.
const SIZES: [usize; 4] = [1, 250, SENT_ROWS, 1_000];
/// What `make import PLAN=free` sends at once.
const SENT_ROWS: usize = 500;
const BOUND_MS: f64 = 10.0;

pub fn measure(extent: Extent, worker: &Worker, archive: &[u8], report: &mut Report) -> Result<(), Failure> {
    let rows = rows(archive)?;
    let times = if extent.quick { 3 } else { 40 };
    for size in SIZES {
        say(&format!("Slices of {size} rows"));
        let cost = cost(worker, &rows, size, times)?;
        let line = Line::new(format!("a slice of {size} rows: the Worker's own time")).ours(format!(
            "{:.1} ms ({:.1} ms of the whole runtime, {:.1} ms until answered)",
            cost.own_ms,
            cost.processor_ms,
            ms(cost.answered)
        ));
        report.add(if size == SENT_ROWS {
            line.bound(format!("<= {BOUND_MS} ms")).reached(cost.own_ms <= BOUND_MS)
        } else {
            line
        });
    }
    Ok(())
}

struct Cost {
    answered: Duration,
    own_ms: f64,
    processor_ms: f64,
}

/// Sends slices of `size` rows to a user of their own.
fn cost(worker: &Worker, rows: &[Row], size: usize, times: usize) -> Result<Cost, Failure> {
    let client = worker.client();
    let opening = json!({"filename": "bench.zip", "file_size_bytes": 1, "archive_sha256": format!("{size:064x}"),
        "files": [{"index": 0, "name": "Streaming_History_Audio_0.json", "inflated_bytes": 1}]});
    let path = format!("/admin/users/{}/row-imports", worker.new_user()?);
    let opened = accepted(&client.post_json(&path, &opening)?)?;
    let id = opened.pointer("/id").and_then(Value::as_i64).ok_or("an import without an id")?;
    let path = format!("/admin/import-jobs/{id}/slices");
    let bodies: Vec<Value> = rows
        .chunks(size)
        .zip(0..times)
        .map(|(some, number)| {
            let slice = serde_json::to_value(write_slice(listenlog::export::Format::Extended, some))?;
            Ok(json!({"file": 0, "from": number * size, "bytes_read": 0, "slice": slice, "end": null}))
        })
        .collect::<Result<_, Failure>>()?;
    let mut inspector = worker.inspector()?;
    inspector.start()?;
    let before = worker.processor_time().ok_or("the system does not tell processor times")?;
    let mut answered = Vec::new();
    for body in &bodies {
        let (took, answer) = measure::timed(|| Ok(client.post_json(&path, body)?))?;
        accepted(&answer)?;
        answered.push(took);
    }
    let spent = worker.processor_time().unwrap_or_default().saturating_sub(before);
    let count = number(bodies.len());
    let own_ms = ms(inspector.stop()?) / count;
    Ok(Cost { answered: Times::of(answered).median(), own_ms, processor_ms: ms(spent) / count })
}

/// The rows of the archive's first history file.
fn rows(archive: &[u8]) -> Result<Vec<Row>, Failure> {
    let mut zip = ZipArchive::new(Cursor::new(archive))?;
    let names: Vec<String> = zip.file_names().filter_map(Result::ok).map(Cow::into_owned).collect();
    let name = names.iter().find(|name| name.contains("Audio")).ok_or("no history in the archive")?;
    let mut text = Vec::new();
    zip.by_name(name)?.read_to_end(&mut text)?;
    let now = Millis(measure::unix_ms()?);
    let mut file = HistoryFile::plain(FileHint::from_name(name), 0, &Limits::default(), now, None);
    let mut rows = Vec::new();
    file.feed(&text, &mut rows)?;
    file.finish(&mut rows)?;
    Ok(rows)
}
