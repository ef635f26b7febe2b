//! The import: from the first byte sent to plays that were counted again.

use std::{path::Path, thread, time::Duration};

use serde_json::Value;

use crate::{
    Extent, Failure,
    extent::Part,
    measure,
    measure::{Times, number},
    native_import,
    report::{Line, Report, grouped, megabytes},
    say,
    worker::Worker,
};

/// Watching costs the Worker time: seldom, since the job's own instants tell exactly.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Looks before giving up: ten minutes.
const PATIENCE: u32 = 1_200;

/// One import and what is known of it afterwards.
pub struct Imported {
    pub upload: Duration,
    pub took: Duration,
    pub job: Value,
}

impl Imported {
    /// A figure of its progress.
    pub fn figure(&self, name: &str) -> i64 {
        self.job.pointer("/progress").and_then(|progress| progress.get(name)?.as_i64()).unwrap_or_default()
    }
}

/// Imports the archive into fresh Workers and into SQLite files, in turn. Gives back the last Worker.
pub fn measure(extent: Extent, archive: &[u8], folder: &Path, report: &mut Report) -> Result<Worker, Failure> {
    let rounds = if extent.has(Part::Import) { extent.rounds() } else { 1 };
    let (mut ours, mut uploads, mut native, mut parsing) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut last = None;
    for round in 1..=rounds {
        // The one before must not run beside this one.
        drop(last.take());
        say(&format!("Import {round} of {rounds}: a fresh Worker, then SQLite"));
        let worker = Worker::start(&folder.join(format!("state-{round}")))?;
        let imported = import(&worker, worker.user, archive)?;
        let plain = native_import::run(archive, folder)?;
        let inserted = imported.figure("inserted");
        if inserted != plain.plays {
            return Err(format!("the Worker imported {inserted} plays, the native program {}", plain.plays).into());
        }
        say(&format!("{:.2?} natively, {:.2?} of it parsing", plain.took, plain.parsing));
        ours.push(imported.took);
        uploads.push(imported.upload);
        native.push(plain.took);
        parsing.push(plain.parsing);
        last = Some((worker, imported, plain.plays));
    }
    let (worker, imported, plays) = last.ok_or("no import was made")?;
    if !extent.has(Part::Import) {
        return Ok(worker);
    }
    let (ours, native) = (Times::of(ours).median(), Times::of(native).median());
    let ratio = ours.as_secs_f64() / native.as_secs_f64();
    let per_second = number(extent.rows) / ours.as_secs_f64();
    let upload = Times::of(uploads).median();
    let parsing = Times::of(parsing).median();
    report.add(
        Line::new("import, upload to verified")
            .ratio(ratio)
            .ours(format!("{:.2} s ({:.2} s of it upload)", ours.as_secs_f64(), upload.as_secs_f64()))
            .native(format!("{:.2} s ({:.2} s of it parsing)", native.as_secs_f64(), parsing.as_secs_f64()))
            .bound("<= 3 x native")
            .reached(ratio <= 3.0),
    );
    report.add(rows_written(&worker, &imported.job, plays)?);
    report.add(
        Line::new("import, rows per second")
            .ours(format!("{per_second:.0}"))
            .native(format!("{:.0}", number(extent.rows) / native.as_secs_f64()))
            .bound(">= 60000")
            .reached(per_second >= 60_000.0),
    );
    report.add(disk(extent, &worker)?);
    if let Some(bytes) = worker.runtime_memory_bytes() {
        report.add(Line::new("the runtime's whole process, peak").ours(megabytes(bytes)));
    }
    report.add(memory(extent, &worker, "wasm memory after the import, peak")?);
    Ok(worker)
}

/// Imports an archive and waits for its end.
pub fn import(worker: &Worker, user: i64, archive: &[u8]) -> Result<Imported, Failure> {
    const COMPLETED: &str = "SELECT completed_at FROM import_jobs WHERE id = ?1";
    const RUNNING: &str = "SELECT completed_at - started_at FROM import_jobs WHERE id = ?1";
    let sent_at_ms = measure::unix_ms()?;
    let (upload, id) = measure::timed(|| worker.upload(user, archive))?;
    let job = finished(worker, id)?;
    let completed_at_ms: i64 = worker.wait_for_value(COMPLETED, [id])?;
    let running_ms: i64 = worker.wait_for_value(RUNNING, [id])?;
    let took = Duration::from_millis(u64::try_from(completed_at_ms - sent_at_ms)?);
    let running = Duration::from_millis(u64::try_from(running_ms)?);
    say(&format!("{took:.2?} in all: {upload:.2?} upload, {running:.2?} from the job's start to its end"));
    Ok(Imported { upload, took, job })
}

/// Waits until an import has succeeded.
pub fn finished(worker: &Worker, id: i64) -> Result<Value, Failure> {
    for _ in 0..PATIENCE {
        thread::sleep(LOOK_EVERY);
        let job = worker.import_job(id)?;
        match job.pointer("/status").and_then(Value::as_str) {
            Some("pending" | "running") => {}
            Some("success") => return Ok(job),
            _ => return Err(format!("the import did not succeed: {job}").into()),
        }
    }
    Err("the import did not end".into())
}

/// Everything that D1 says was written from the upload's first statement on: the job, its files and its run, every slice
/// with its cursor, the recount, and the log rows of all that.
fn rows_written(worker: &Worker, job: &Value, plays: i64) -> Result<Line, Failure> {
    const BOUND: f64 = 1.25;
    const RUNS_ENDED: &str = "SELECT max(id) FROM logs WHERE message = 'An import run ended' AND id > \
        (SELECT id FROM logs WHERE message = 'An import is done')";
    const BY_D1: &str = "SELECT sum(json_extract(fields, '$.rows_written')) FROM logs \
        WHERE message IN ('A request was answered', 'An import run ended')";
    // The last run's log rows come after the job has ended.
    worker.wait_for_value::<i64>(RUNS_ENDED, [])?;
    let by_d1: i64 = worker.value(BY_D1)?;
    let log_rows: i64 = worker.value("SELECT count(*) FROM logs")?;
    let rows = by_d1 + log_rows;
    let ratio = number(rows) / number(plays);
    let of_job = job.pointer("/rows_written").and_then(Value::as_u64).unwrap_or_default();
    Ok(Line::new("D1 rows written per imported play")
        .ratio(ratio)
        .ours(format!("{} rows ({} by the job's own count)", grouped(rows), grouped(of_job)))
        .native(format!("{} plays", grouped(plays)))
        .bound(format!("<= {BOUND}"))
        .reached(ratio <= BOUND))
}

fn disk(extent: Extent, worker: &Worker) -> Result<Line, Failure> {
    const BOUND_BYTES: u64 = 12_000_000;
    let pages: i64 = worker.value("PRAGMA page_count")?;
    let page_bytes: i64 = worker.value("PRAGMA page_size")?;
    let bytes = u64::try_from(pages * page_bytes)?;
    let line = Line::new("database after the import").ours(megabytes(bytes));
    if !extent.is_as_stated() {
        return Ok(line);
    }
    Ok(line.bound(format!("<= {}", megabytes(BOUND_BYTES))).reached(bytes <= BOUND_BYTES))
}

/// The most memory that the module has needed so far.
pub fn memory(extent: Extent, worker: &Worker, measure: &str) -> Result<Line, Failure> {
    const BOUND_BYTES: u64 = 32_000_000;
    let bytes = worker.module_memory_bytes()?.ok_or("the Worker does not tell its memory")?;
    // The bound is stated for a million rows; fewer do not prove it, though they can break it.
    let line = Line::new(measure).ours(megabytes(bytes));
    let line = line.bound(format!("<= {} (for 1,000,000 rows)", megabytes(BOUND_BYTES)));
    let is_proven = extent.rows >= 1_000_000 || bytes > BOUND_BYTES;
    Ok(if is_proven { line.reached(bytes <= BOUND_BYTES) } else { line })
}
