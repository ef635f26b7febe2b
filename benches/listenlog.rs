//! What Listenlog costs, against native programs doing the same in the same run: `make bench`, or
//! `cargo bench --bench listenlog -- --rows 200000 [--only import,kill] [--quick]`.
//!
//! A seeded export goes into a fresh Worker on the real local runtime, and plainly into a SQLite file; then every
//! history tool is asked over HTTP, and the same question is asked of a copy of the Worker's own database file. Must stay
//! true:
//! * both sides do the same work on the same data, and a bench whose two sides disagree fails;
//! * the native side is written as well as it can be: a bound is worth what it is measured against;
//! * a bound that is missed is a line of the report and no failure; a side that does not work is.

#[path = "listenlog/account.rs"]
mod account;
#[path = "listenlog/answers.rs"]
mod answers;
#[path = "listenlog/extent.rs"]
mod extent;
#[path = "listenlog/import.rs"]
mod import;
#[path = "listenlog/kill.rs"]
mod kill;
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
#[path = "listenlog/slice.rs"]
mod slice;
#[path = "listenlog/throughput.rs"]
mod throughput;
#[path = "listenlog/worker.rs"]
mod worker;

use std::{error::Error, fs, io::Write, path::PathBuf, process::ExitCode};

use flate2::{Compression, write::GzEncoder};
use listenlog_workbench::{generator::ExportPlan, runtime::repository};

pub use extent::Extent;
use extent::Part;
use report::{Line, Report};

/// Anything that keeps a measure from being taken.
pub type Failure = Box<dyn Error>;

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
    if extent.has(Part::Module) {
        report.add(module()?);
    }
    say(&format!("Inventing {} rows", extent.rows));
    let plan = ExportPlan::bench(extent.rows);
    let plays = plan.live();
    let archive = plan.write(&plays)?;
    let mut worker = import::measure(extent, &archive, &folder.0, &mut report)?;
    if extent.has(Part::Answers) {
        answers::measure(extent, &mut worker, &folder.0, &mut report)?;
    }
    if extent.has(Part::Protocol) {
        protocol::measure(extent, &worker, &mut report)?;
    }
    if extent.has(Part::Throughput) {
        throughput::measure(extent, &worker, &mut report)?;
    }
    if extent.has(Part::Slice) {
        slice::measure(extent, &worker, &archive, &mut report)?;
    }
    // Last, since they write.
    if extent.has(Part::Account) {
        account::measure(&worker, &plays, &mut report)?;
    }
    worker.stop();
    if extent.has(Part::Kill) {
        kill::measure(extent, &archive, &folder.0, &mut report)?;
    }
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
