//! What it costs when the runtime dies in the middle of an import.
//!
//! What is lost is the work since the last slice, and the wait until the dead worker's lease is over, which is not spent
//! here: the tick that finds the job is fired at once, as of five minutes later.

use std::{path::Path, thread, time::Duration};

use serde_json::Value;

use crate::{
    Extent, Failure,
    import::{finished, import},
    measure,
    report::{Line, Report},
    say,
    worker::Worker,
};

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Time of an import that is killed in its middle, against one that is not.
pub fn measure(extent: Extent, archive: &[u8], folder: &Path, report: &mut Report) -> Result<(), Failure> {
    say("An import that is killed in its middle, and one that is not");
    let straight = {
        let worker = Worker::start(&folder.join("state-straight"))?;
        import(&worker, worker.user, archive)?.took
    };
    let mut worker = Worker::start(&folder.join("state-killed"))?;
    let half = i64::try_from(extent.rows / 2)?;
    let started = measure::now();
    let id = worker.upload(worker.user, archive)?;
    while worker.value::<i64>("SELECT coalesce(sum(rows_read), 0) FROM import_files")? < half {
        thread::sleep(LOOK_EVERY);
    }
    worker.stop();
    let settled: i64 = worker.value("SELECT coalesce(sum(rows_read), 0) FROM import_files")?;
    let before = started.elapsed();
    worker.restart()?;
    let (after, job) = measure::timed(|| {
        worker.sweep_later()?;
        finished(&worker, id)
    })?;
    let in_the_end = job.pointer("/progress/rows_read").and_then(Value::as_i64).unwrap_or_default();
    let lost = (before + after).saturating_sub(straight);
    say(&format!("{before:.2?} before the kill, {after:.2?} after it, {straight:.2?} undisturbed"));
    report.add(
        Line::new("killed in the middle: time lost, beside the lease of 2 minutes")
            .ours(format!("{:.2} s", lost.as_secs_f64()))
            .native(format!("{settled} rows were settled, {in_the_end} in the end")),
    );
    Ok(())
}
