//! Starts, crashes and stops the Worker on this machine, on the real local runtime.
//!
//! Must stay true: whatever happens to the program that started it, no process of the Worker is left behind (see
//! [`process`]); two runtimes share nothing but the built module, as each has its own port and state; a `kill` is as
//! sudden as a power cut.

pub mod crons;
#[cfg(feature = "inspector")]
mod inspector;
mod options;
mod process;

use std::{
    fmt, fs,
    fs::OpenOptions,
    io,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags};

use crate::client::{Client, ClientError, Response};

#[cfg(feature = "inspector")]
pub use inspector::Inspector;
pub use options::{RuntimeOptions, repository};
use process::LeashedGroup;

/// A Worker that runs, or was killed and can be restarted. Dropping it ends it.
#[derive(Debug)]
pub struct Runtime {
    options: RuntimeOptions,
    port: u16,
    /// 0 when nobody asks the inspector.
    inspector_port: u16,
    group: Option<LeashedGroup>,
}

/// Why the Worker does not run, with the end of its log.
#[derive(Debug)]
pub struct RuntimeError {
    what: String,
    log_tail: String,
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)?;
        if self.log_tail.is_empty() { Ok(()) } else { write!(formatter, "\nIts log ends:\n{}", self.log_tail) }
    }
}

impl std::error::Error for RuntimeError {}

const POLL_EVERY: Duration = Duration::from_millis(40);
const LOG_TAIL_LINES: usize = 40;

impl Runtime {
    /// Applies the migrations, starts the Worker and waits until `/healthz` answers.
    ///
    /// # Errors
    /// When the tools are not installed, the Worker ends by itself or does not answer in time; with the log's tail.
    pub fn start(options: RuntimeOptions) -> Result<Self, RuntimeError> {
        let options = options.made_absolute().map_err(|error| plain("The state folder cannot be made", &error))?;
        let port = match options.port {
            Some(port) => port,
            None => free_port().map_err(|error| plain("No port is free", &error))?,
        };
        let inspector_port = if options.is_inspected { free_port() } else { Ok(0) };
        let inspector_port = inspector_port.map_err(|error| plain("No port is free", &error))?;
        let mut runtime = Self { options, port, inspector_port, group: None };
        runtime.apply_migrations()?;
        runtime.launch()?;
        Ok(runtime)
    }

    /// Ends every process of the Worker at once, as a crash would. State and port stay; no-op when it does not run.
    pub fn kill(&mut self) {
        self.group = None;
    }

    /// Kills it if it runs, and starts it again on the same port and state.
    ///
    /// # Errors
    /// As [`Runtime::start`].
    pub fn restart(&mut self) -> Result<(), RuntimeError> {
        self.kill();
        self.launch()
    }

    /// The same with other variables.
    ///
    /// # Errors
    /// As [`Runtime::start`].
    pub fn restart_with(&mut self, vars: Vec<(String, String)>) -> Result<(), RuntimeError> {
        self.options.vars = vars;
        self.restart()
    }

    /// Waits until the Worker ends by itself.
    ///
    /// # Errors
    /// When it does not run.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        match &mut self.group {
            Some(group) => group.wait(),
            None => Err(io::Error::other("the Worker does not run")),
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A client of it, without credentials.
    pub fn client(&self) -> Client {
        Client::new(&self.url())
    }

    /// A connection to the Worker's inspector.
    ///
    /// # Errors
    /// When the options did not ask for one, or it does not answer.
    #[cfg(feature = "inspector")]
    pub fn inspector(&self) -> io::Result<Inspector> {
        Inspector::connect(self.inspector_port)
    }

    /// The process group, for measuring; `None` when it does not run.
    pub fn process_group(&self) -> Option<u32> {
        self.group.as_ref().map(LeashedGroup::id)
    }

    /// Where the Worker's output goes when it is quiet.
    pub fn log_path(&self) -> PathBuf {
        self.options.state.join("worker.log")
    }

    /// Lets the cron trigger `cron` fire as if it were `time_ms` (Unix milliseconds), and answers when the handler has
    /// finished.
    ///
    /// # Errors
    /// When no answer arrives.
    pub fn cron(&self, cron: &str, time_ms: i64) -> Result<Response, ClientError> {
        let cron = cron.replace(' ', "%20");
        self.client().get(&format!("/cdn-cgi/handler/scheduled?cron={cron}&time={time_ms}&format=json"))
    }

    /// The Worker's database, read-only; it may go on running.
    ///
    /// # Errors
    /// When there is no database file yet, or it cannot be opened.
    pub fn database(&self) -> io::Result<Connection> {
        let file = newest_database(&self.options.state.join("v3/d1"))?;
        let connection =
            Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
                .map_err(io::Error::other)?;
        connection.busy_timeout(Duration::from_secs(10)).map_err(io::Error::other)?;
        Ok(connection)
    }

    fn apply_migrations(&self) -> Result<(), RuntimeError> {
        if !self.options.root.join("migrations").is_dir() {
            return Ok(());
        }
        let mut command = self.wrangler()?;
        command.args(["d1", "migrations", "apply", "listenlog", "--local", "--persist-to"]).arg(&self.options.state);
        self.send_output_to_log(&mut command)?;
        match command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.failed(&format!("The migrations could not be applied ({status})."))),
            Err(error) => Err(self.failed(&format!("wrangler could not be run: {error}."))),
        }
    }

    fn launch(&mut self) -> Result<(), RuntimeError> {
        let mut command = self.wrangler()?;
        command
            .args(["dev", "--local", "--ip", "127.0.0.1", "--inspector-port"])
            .arg(self.inspector_port.to_string())
            .arg("--port")
            .arg(self.port.to_string())
            .arg("--persist-to")
            .arg(&self.options.state);
        for (name, value) in &self.options.vars {
            command.arg("--var").arg(format!("{name}:{value}"));
        }
        if self.options.quiet {
            self.send_output_to_log(&mut command)?;
        }
        let group = LeashedGroup::spawn(&mut command)
            .map_err(|error| self.failed(&format!("The Worker could not be started: {error}.")))?;
        self.group = Some(group);
        self.await_health().inspect_err(|_| self.group = None)
    }

    fn await_health(&mut self) -> Result<(), RuntimeError> {
        let client = Client::with_timeout(&self.url(), Duration::from_secs(5));
        let started = now();
        loop {
            if client.get("/healthz").is_ok_and(|response| response.status == 200) {
                return Ok(());
            }
            match self.group.as_mut().map(LeashedGroup::has_ended) {
                Some(Ok(None)) => {}
                Some(Ok(Some(status))) => return Err(self.failed(&format!("The Worker ended by itself ({status})."))),
                Some(Err(error)) => return Err(self.failed(&format!("The Worker cannot be watched: {error}."))),
                None => return Err(self.failed("The Worker does not run.")),
            }
            if started.elapsed() > self.options.ready_within {
                let seconds = self.options.ready_within.as_secs();
                return Err(self.failed(&format!("The Worker did not answer GET /healthz within {seconds} s.")));
            }
            thread::sleep(POLL_EVERY);
        }
    }

    /// `wrangler` of the repository's `node_modules` under the Node of the same place.
    fn wrangler(&self) -> Result<Command, RuntimeError> {
        let modules = &self.options.node_modules;
        let (node, wrangler) = (modules.join(".bin/node"), modules.join("wrangler/bin/wrangler.js"));
        for tool in [&node, &wrangler] {
            if !tool.exists() {
                let what = format!("{} is missing: run `make build` first.", tool.display());
                return Err(RuntimeError { what, log_tail: String::new() });
            }
        }
        let mut path = modules.join(".bin").into_os_string();
        if let Some(inherited) = std::env::var_os("PATH") {
            path.push(":");
            path.push(inherited);
        }
        let mut command = Command::new(node);
        command
            .arg(wrangler)
            .current_dir(&self.options.root)
            .env("PATH", path)
            .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
            .env("WRANGLER_SEND_METRICS", "false")
            .env("CI", "1")
            .stdin(Stdio::null());
        Ok(command)
    }

    fn send_output_to_log(&self, command: &mut Command) -> Result<(), RuntimeError> {
        let files = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .and_then(|file| file.try_clone().map(|copy| (file, copy)));
        let (out, err) = files.map_err(|error| plain("The Worker's log cannot be written", &error))?;
        command.stdout(out).stderr(err);
        Ok(())
    }

    fn failed(&self, what: &str) -> RuntimeError {
        let log = fs::read(self.log_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let mut tail: Vec<&str> = text.lines().rev().take(LOG_TAIL_LINES).collect();
        tail.reverse();
        RuntimeError { what: what.to_owned(), log_tail: tail.join("\n") }
    }
}

fn plain(what: &str, error: &io::Error) -> RuntimeError {
    RuntimeError { what: format!("{what}: {error}."), log_tail: String::new() }
}

#[expect(clippy::disallowed_methods, reason = "waiting for a real process takes a real clock; this never runs on wasm")]
fn now() -> Instant {
    Instant::now()
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The local runtime keeps a file per database, named by a hash, and one of its own beside them.
fn newest_database(folder: &Path) -> io::Result<PathBuf> {
    let mut newest = None;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, metadata) = (entry.path(), entry.metadata()?);
            let is_database = path.extension().is_some_and(|extension| extension == "sqlite")
                && !entry.file_name().to_string_lossy().starts_with("metadata");
            if metadata.is_dir() {
                folders.push(path);
            } else if is_database {
                newest = newest.max(Some((metadata.modified()?, path)));
            }
        }
    }
    newest.map(|(_, path)| path).ok_or_else(|| io::Error::other("there is no database file yet"))
}
