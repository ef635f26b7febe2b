//! Account data: into an empty history, and into one that knows most of it already.

use listenlog_workbench::generator::{AccountLayout, TruePlay, last_twelve_months, write_account};

use crate::{
    Failure,
    import::{Imported, import},
    measure::number,
    report::{Line, Report, grouped, megabytes},
    worker::Worker,
};

/// What holds for the rows of an upload.
const BOUND_PER_SECOND: f64 = 60_000.0;
const BOUND_BYTES: u64 = 32_000_000;

pub fn measure(worker: &Worker, plays: &[TruePlay], report: &mut Report) -> Result<(), Failure> {
    let whole = write_account(plays, AccountLayout::New, i64::MIN..i64::MAX)?;
    let alone = import(worker, worker.new_user()?, &whole)?;
    report.add(
        rows_per_second("account data of all years, alone", &alone)
            .bound(format!(">= {BOUND_PER_SECOND:.0}"))
            .reached(speed(&alone) >= BOUND_PER_SECOND),
    );
    // What Spotify gives: the last year, beside the extended history.
    let year = write_account(plays, AccountLayout::New, last_twelve_months(plays))?;
    let merged = import(worker, worker.user, &year)?;
    report.add(rows_per_second("account data of a year, beside extended", &merged));
    let bytes = worker.module_memory_bytes()?.ok_or("the Worker does not tell its memory")?;
    report.add(
        Line::new("wasm memory after account data, peak")
            .ours(megabytes(bytes))
            .bound(format!("<= {}", megabytes(BOUND_BYTES)))
            .reached(bytes <= BOUND_BYTES),
    );
    Ok(())
}

fn speed(imported: &Imported) -> f64 {
    number(imported.figure("rows_read")) / imported.took.as_secs_f64()
}

fn rows_per_second(what: &str, imported: &Imported) -> Line {
    let [rows, inserted, merged] = ["rows_read", "inserted", "merged"].map(|name| grouped(imported.figure(name)));
    Line::new(format!("{what}: rows per second"))
        .ours(format!("{:.0}", speed(imported)))
        .native(format!("{rows} rows: {inserted} inserted, {merged} merged"))
}
