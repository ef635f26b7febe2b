//! What travels through the queue: which row to look at, never what to do with it.
//!
//! Must stay true: messages are small JSON text of ids. A message of an unknown shape is buried, not retried.

use serde::{Deserialize, Serialize};

use crate::domain::ids::{ImportJobId, JobRunId, UserId};

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum JobMessage {
    /// Work on an import until it is done or the run's share is used up.
    ImportArchive { import_job_id: ImportJobId },
    /// Work on a run of any other kind.
    Run { job_run_id: JobRunId },
    /// Ask Spotify for what a user played last, if they are due.
    Poll { user_id: UserId },
}
