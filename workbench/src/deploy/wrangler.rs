//! Runs `wrangler` as it is found in PATH.
//!
//! Must stay true: it never waits for an answer from a person (no terminal on its input), and what it said is kept for the
//! one who has to read it when something failed.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{DeployError, failed};

pub struct Wrangler {
    root: PathBuf,
}

/// What wrangler said.
pub struct Answer {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    /// Everything, in the order a terminal would most likely have shown it.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl Wrangler {
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("wrangler");
        command.args(arguments).current_dir(&self.root).stdin(Stdio::null());
        command.env("WRANGLER_SEND_METRICS", "false").env("CI", "1").env("NO_COLOR", "1");
        command
    }

    /// Whatever comes of it is an answer.
    pub fn ask(&self, arguments: &[&str]) -> Result<Answer, DeployError> {
        answered(self.command(arguments))
    }

    /// An answer that is not a success is an error.
    pub fn run(&self, arguments: &[&str]) -> Result<Answer, DeployError> {
        let answer = self.ask(arguments)?;
        if answer.success { Ok(answer) } else { Err(failed(&arguments.join(" "), &answer)) }
    }

    /// The same, with wrangler's machine-readable report in a file.
    pub fn run_reporting(&self, arguments: &[&str], report: &Path) -> Result<Answer, DeployError> {
        let mut command = self.command(arguments);
        command.env("WRANGLER_OUTPUT_FILE_PATH", report);
        let answer = answered(command)?;
        if answer.success { Ok(answer) } else { Err(failed(&arguments.join(" "), &answer)) }
    }
}

fn answered(mut command: Command) -> Result<Answer, DeployError> {
    let output = command
        .output()
        .map_err(|error| DeployError::new(format!("wrangler could not be run ({error}): run `make build` first.")))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Answer { success: output.status.success(), stdout: text(&output.stdout), stderr: text(&output.stderr) })
}
