//! How much is measured, as the command line says it.

use crate::Failure;

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Rows of the export.
    pub rows: usize,
    /// A smoke run: everything is done, and nothing often enough to be believed.
    pub quick: bool,
    /// By [`Part::ALL`].
    parts: [bool; Part::ALL.len()],
}

/// What can be measured by itself. Plays are imported in any case: without them there is nothing to ask about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Module,
    Import,
    Answers,
    Protocol,
    Throughput,
    Slice,
    Account,
    Kill,
}

impl Part {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Module, "module"),
        (Self::Import, "import"),
        (Self::Answers, "answers"),
        (Self::Protocol, "protocol"),
        (Self::Throughput, "throughput"),
        (Self::Slice, "slice"),
        (Self::Account, "account"),
        (Self::Kill, "kill"),
    ];
}

/// The number of rows for which the bounds on disk and on all-time answers are stated.
const STATED_ROWS: usize = 200_000;

impl Extent {
    pub fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut extent = Self { rows: STATED_ROWS, quick: false, parts: [true; Part::ALL.len()] };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--rows" => extent.rows = arguments.next().ok_or("--rows takes a number")?.parse()?,
                "--only" => extent.parts = parts(&arguments.next().ok_or("--only takes parts")?)?,
                "--quick" => extent.quick = true,
                // `cargo bench` adds it.
                "--bench" => {}
                other => return Err(format!("{other} is unknown; known are --rows N, --only PARTS and --quick").into()),
            }
        }
        Ok(extent)
    }

    pub fn has(&self, part: Part) -> bool {
        Part::ALL.iter().zip(self.parts).any(|((known, _), is_wanted)| *known == part && is_wanted)
    }

    /// Whether a bound that is stated for 200,000 rows can be held against this run.
    pub const fn is_as_stated(&self) -> bool {
        self.rows == STATED_ROWS
    }

    /// Times that something long is done: its median counts.
    pub const fn rounds(&self) -> usize {
        if self.quick || self.rows > 400_000 { 1 } else { 3 }
    }
}

/// The parts of a list, `import,kill`; an empty list is everything.
fn parts(list: &str) -> Result<[bool; Part::ALL.len()], Failure> {
    let wanted: Vec<&str> = list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if let Some(unknown) = wanted.iter().find(|name| !Part::ALL.iter().any(|(_, known)| known == *name)) {
        let known = Part::ALL.map(|(_, name)| name).join(", ");
        return Err(format!("{unknown} is no part; parts are {known}").into());
    }
    Ok(Part::ALL.map(|(_, name)| wanted.is_empty() || wanted.contains(&name)))
}
