//! Where and how a Worker is to run.

use std::{fs, io, path::PathBuf, time::Duration};

/// Where and how a Worker is to run. Two at once need different states; ports are found.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// The folder of `wrangler.toml` and `migrations/`: the repository.
    pub root: PathBuf,
    /// The folder that `npm install` made there.
    pub node_modules: PathBuf,
    /// Database, archives, queues and log of this Worker. Made if it is not there; never emptied.
    pub state: PathBuf,
    /// `None` takes a free one.
    pub port: Option<u16>,
    /// Whether its inspector can be asked.
    pub is_inspected: bool,
    /// Variables and secrets, beside those of `wrangler.toml`.
    pub vars: Vec<(String, String)>,
    /// The Worker's output goes to `STATE/worker.log` rather than to the terminal.
    pub quiet: bool,
    /// How long the first answer may take.
    pub ready_within: Duration,
}

/// The repository: `LISTENLOG_ROOT`, or where this crate was built.
pub fn repository() -> PathBuf {
    match std::env::var_os("LISTENLOG_ROOT") {
        Some(root) if !root.is_empty() => PathBuf::from(root),
        _ => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")),
    }
}

impl RuntimeOptions {
    /// The repository's Worker over `state`, on a free port, quiet.
    pub fn new(state: impl Into<PathBuf>) -> Self {
        let root = repository();
        Self {
            node_modules: root.join("node_modules"),
            root,
            state: state.into(),
            port: None,
            is_inspected: false,
            vars: Vec::new(),
            quiet: true,
            ready_within: Duration::from_mins(1),
        }
    }

    /// With one more variable.
    #[must_use]
    pub fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Wrangler runs in the root, so relative paths would move.
    pub(super) fn made_absolute(mut self) -> io::Result<Self> {
        fs::create_dir_all(&self.state)?;
        self.state = self.state.canonicalize()?;
        self.root = self.root.canonicalize()?;
        self.node_modules = std::path::absolute(&self.node_modules)?;
        Ok(self)
    }
}
