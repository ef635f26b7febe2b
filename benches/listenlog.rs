//! What Listenlog costs, against native programs doing the same in the same run: `make bench`, or
//! `cargo bench --bench listenlog -- --rows 200000 [--quick]`.
//!
//! A seeded export goes into a fresh Worker on the real local runtime, and plainly into a SQLite file; then every
//! history tool is asked over HTTP, and the same question is asked of a copy of the Worker's own database file. Must stay
//! true:
//! * both sides do the same work on the same data, and a bench whose two sides disagree fails;
//! * the native side is written as well as it can be: a bound is worth what it is measured against;
//! * a bound that is missed is a line of the report and no failure; a side that does not work is.

#[path = "listenlog/answers.rs"]
mod answers;
#[path = "listenlog/import.rs"]
mod import;
#[path = "listenlog/measure.rs"]
mod measure;
#[path = "listenlog/native_import.rs"]
mod native_import;
#[path = "listenlog/protocol.rs"]
mod protocol;
#[path = "listenlog/questions.rs"]
mod questions;
#[path = "listenlog/report.rs"]
mod report;
#[path = "listenlog/throughput.rs"]
mod throughput;
#[path = "listenlog/worker.rs"]
mod worker;

use std::{error::Error, fs, io::Write, path::PathBuf, process::ExitCode};

use flate2::{Compression, write::GzEncoder};
use listenlog_workbench::{generator::ExportPlan, runtime::repository};

use report::{Line, Report};

/// Anything that keeps a measure from being taken.
pub type Failure = Box<dyn Error>;

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Rows of the export.
    pub rows: usize,
    /// A smoke run: everything is done, and nothing often enough to be believed.
    pub quick: bool,
}

/// The number of rows for which the bounds on disk and on all-time answers are stated.
pub const STATED_ROWS: usize = 200_000;

impl Extent {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut extent = Self { rows: STATED_ROWS, quick: false };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--rows" => extent.rows = arguments.next().ok_or("--rows takes a number")?.parse()?,
                "--quick" => extent.quick = true,
                // `cargo bench` adds it.
                "--bench" => {}
                other => return Err(format!("{other} is unknown; known are --rows N and --quick").into()),
            }
        }
        Ok(extent)
    }

    /// Whether a bound that is stated for 200,000 rows can be held against this run.
    pub const fn is_as_stated(self) -> bool {
        self.rows == STATED_ROWS
    }
}

/// Says what is being done; the report alone goes to the standard output.
pub fn say(text: &str) {
    eprintln!("{text}");
}

fn main() -> ExitCode {
    match Extent::read(std::env::args().skip(1)).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("The bench could not be finished: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(extent: Extent) -> Result<(), Failure> {
    let folder = Folder::make()?;
    let mut report = Report::begin();
    report.add(module()?);
    say(&format!("Inventing {} rows", extent.rows));
    let plan = ExportPlan::bench(extent.rows);
    let archive = plan.write(&plan.live())?;
    let mut worker = import::measure(extent, &archive, &folder.0, &mut report)?;
    answers::measure(extent, &mut worker, &folder.0, &mut report)?;
    protocol::measure(extent, &worker, &mut report)?;
    throughput::measure(extent, &worker, &mut report)?;
    worker.stop();
    println!("{}", report.text(extent));
    Ok(())
}

/// The size of the module as it is uploaded.
fn module() -> Result<Line, Failure> {
    const BOUND_BYTES: usize = 1_000_000;
    let path = repository().join("build/index_bg.wasm");
    let module = fs::read(&path).map_err(|error| format!("{} (run `make build`): {error}", path.display()))?;
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&module)?;
    let bytes = packed.finish()?.len();
    Ok(Line::new("module, gzip")
        .ours(format!("{} bytes", report::grouped(bytes)))
        .bound(format!("<= {} bytes", report::grouped(BOUND_BYTES)))
        .reached(bytes <= BOUND_BYTES))
}

/// A folder for everything this run writes, gone when it ends.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join("listenlog").join(format!("bench-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} could not be removed: {error}", self.0.display());
        }
    }
}
