//! A group of processes on a leash.
//!
//! Wrangler starts processes of its own, which outlive it when it is killed. So it gets a process group, and a small
//! shell in another group holds the far end of a pipe: when the near end closes (the value is dropped, or the program
//! that holds it ends in whatever way, Ctrl-C and SIGKILL included) the shell kills the whole group.
//!
//! Must stay true: a leader that lives is reaped only after its group was killed, so that the number of the group cannot
//! have passed to somebody else's processes.

use std::{
    io,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
};

#[derive(Debug)]
pub struct LeashedGroup {
    leader: Child,
    leash: Child,
}

impl LeashedGroup {
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut leader = command.process_group(0).spawn()?;
        let leash = Command::new("sh")
            .args(["-c", "read -r _; kill -KILL \"-$0\""])
            .arg(leader.id().to_string())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match leash {
            Ok(leash) => Ok(Self { leader, leash }),
            Err(error) => {
                leader.kill()?;
                leader.wait()?;
                Err(error)
            }
        }
    }

    /// Number of the group.
    pub fn id(&self) -> u32 {
        self.leader.id()
    }

    /// The leader's status once it has ended.
    pub fn has_ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.leader.try_wait()
    }

    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.leader.wait()
    }
}

impl Drop for LeashedGroup {
    fn drop(&mut self) {
        drop(self.leash.stdin.take());
        // Should the shell have failed, at least the leader goes; waiting for one that lives on would never end.
        if !self.leash.wait().is_ok_and(|status| status.success()) {
            _ = self.leader.kill();
        }
        // Nobody is left to tell when it cannot be waited for.
        _ = self.leader.wait();
    }
}
