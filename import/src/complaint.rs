//! What goes wrong, for a person and for a script.

use std::process::ExitCode;

/// How the program ends. The numbers are part of what scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything was imported and counted again.
    Complete = 0,
    /// The import ended in an error or was cancelled.
    Failed = 1,
    /// The arguments, the file or the settings on this machine are wrong; nothing was sent.
    Usage = 2,
    /// The Worker could not be reached, or stopped answering; run again to go on.
    Unreachable = 3,
    /// The Worker refused: wrong credential, unknown user, unfit archive.
    Refused = 4,
    /// The import is done and something was left out.
    Partial = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// One sentence or two that say what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub exit: Exit,
    pub sentence: String,
}

impl Complaint {
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, sentence: sentence.into() }
    }

    pub fn refused(sentence: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, sentence: sentence.into() }
    }

    pub fn unreachable(sentence: impl Into<String>) -> Self {
        Self { exit: Exit::Unreachable, sentence: sentence.into() }
    }
}
