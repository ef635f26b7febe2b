//! Brings an export into a Listenlog Worker and says on the terminal how it goes.
//!
//! Must stay true:
//! * whatever goes wrong is told in one sentence a person can act on, and in an exit code a script can;
//! * stopping the program at any moment loses nothing: run again, it goes on where the import is;
//! * personal fields of the export never leave this machine when slices are sent, and no message repeats a value of a row.

mod arguments;
mod clock;
mod complaint;
mod job;
mod local;
mod progress;
mod server;
mod slices;
mod summary;
mod upload;
mod watch;

use std::io::Write;

pub use self::{
    arguments::{Arguments, Plan},
    complaint::{Complaint, Exit},
};
use self::{
    job::{Job, Status},
    local::LocalArchive,
    progress::Screen,
    server::Server,
};

/// Reads the arguments and does what they ask for; everything is said on the terminal.
pub fn main(arguments: &[String], environment: impl Fn(&str) -> Option<String>) -> Exit {
    let outcome = match Arguments::parse(arguments, environment) {
        Ok(Some(arguments)) => run(&arguments),
        Ok(None) => {
            say(arguments::HELP);
            Ok(Exit::Complete)
        }
        Err(complaint) => Err(complaint),
    };
    outcome.unwrap_or_else(|complaint| {
        complain(&complaint.sentence);
        complaint.exit
    })
}

/// Imports one export.
///
/// # Errors
/// Whatever kept the import from beginning, or from being followed to its end.
pub fn run(arguments: &Arguments) -> Result<Exit, Complaint> {
    let archive = LocalArchive::open(&arguments.file)?;
    say(&archive.described());
    let server = Server::connect(&arguments.url, arguments.credential.as_ref())?;
    let user = server.user(arguments.user.as_deref(), arguments.create_user)?;
    let mut screen = Screen::of_terminal();
    let last = server.last_import(user.id, &archive)?;
    if let Some(job) = last.as_ref().filter(|job| is_done(job) && !arguments.again) {
        let day = job.completed_at.as_deref().and_then(|at| at.get(..10)).unwrap_or_default();
        say(&format!(
            "This archive was imported on {day}; AGAIN=1 imports it once more, which adds only what is missing."
        ));
        say(&summary::of(job, &arguments.url));
        return Ok(summary::exit_of(job));
    }
    let unfinished = last.filter(|job| !job.status.is_final());
    let way = match &unfinished {
        Some(job) if job.takes_slices() => Way::Slices(Way::rows_at_once(arguments.plan)),
        Some(_) => Way::Archive,
        None => Way::of(arguments, &archive),
    };
    say(&format!(
        "Into the history of {} (user {}) at {}: {}",
        user.display_name,
        user.id,
        arguments.url,
        way.described()
    ));
    let job = match way {
        Way::Archive => {
            let id = if let Some(job) = unfinished {
                say("This archive is being imported already; watching it.");
                job.id
            } else {
                upload::send(&server, user.id, &archive, arguments.again, &mut screen)?
            };
            watch::to_the_end(&server, id, &mut screen)?
        }
        Way::Slices(rows) => slices::send(&server, user.id, &archive, rows, &mut screen)?,
    };
    say(&summary::of(&job, &arguments.url));
    Ok(summary::exit_of(&job))
}

/// How the rows get there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The archive as it is, which the Worker unpacks.
    Archive,
    /// Unpacked here, so many rows at a time.
    Slices(usize),
}

impl Way {
    /// What always works is the default for a Worker out there: its plan cannot be asked for. On this machine there is no
    /// limit to keep to.
    fn of(arguments: &Arguments, archive: &LocalArchive) -> Self {
        let is_small = archive.bytes <= upload::REQUEST_MAX_BYTES;
        match arguments.plan {
            Plan::Paid | Plan::Unknown if arguments.is_local() => Self::Archive,
            Plan::Paid if is_small => Self::Archive,
            plan => Self::Slices(Self::rows_at_once(plan)),
        }
    }

    const fn rows_at_once(plan: Plan) -> usize {
        match plan {
            Plan::Paid => slices::PAID_PLAN_ROWS,
            Plan::Free | Plan::Unknown => slices::FREE_PLAN_ROWS,
        }
    }

    fn described(self) -> String {
        match self {
            Self::Archive => "the archive as it is, unpacked by the Worker.".to_owned(),
            Self::Slices(rows) => format!("unpacked here without its personal fields, at most {rows} rows a request."),
        }
    }
}

/// Whether the import came to its end; one that failed or was cancelled is begun anew.
const fn is_done(job: &Job) -> bool {
    matches!(job.status, Status::Success | Status::Partial)
}

fn say(text: &str) {
    // A line that cannot be written is no reason to stop an import.
    drop(writeln!(std::io::stdout(), "{text}"));
}

fn complain(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}
