//! The Worker under measure, on the real local runtime.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use listenlog_workbench::{
    client::{Client, Response},
    runtime::{Inspector, Runtime, RuntimeOptions},
};
use rusqlite::{Connection, Params, types::FromSql};
use serde_json::{Value, json};

use crate::Failure;

const ADMIN_TOKEN: &str = "the-token-of-the-bench";
/// The listener of the invented life.
pub const ZONE: &str = "Europe/Berlin";

pub struct Worker {
    runtime: Runtime,
    client: Client,
    pub user: i64,
}

impl Worker {
    /// A Worker over a fresh state in `state`, with one user.
    pub fn start(state: &Path) -> Result<Self, Failure> {
        let mut options = RuntimeOptions::new(state).var("ADMIN_AUTH_MODE", "token").var("ADMIN_TOKEN", ADMIN_TOKEN);
        options.is_inspected = true;
        let runtime = Runtime::start(options)?;
        let client = client_of(&runtime);
        let user = user_of(&client)?;
        Ok(Self { runtime, client, user })
    }

    /// One more user.
    pub fn new_user(&self) -> Result<i64, Failure> {
        user_of(&self.client)
    }

    /// Ends it and begins again on the same data, in an isolate that knows nothing.
    pub fn restart(&mut self) -> Result<(), Failure> {
        self.runtime.restart()?;
        // Connections to the one before are dead.
        self.client = client_of(&self.runtime);
        Ok(())
    }

    /// Ends it at once, as a crash would.
    pub fn stop(&mut self) {
        self.runtime.kill();
    }

    /// The minute's tick, as of some minutes from now: leases of the dead are over by then.
    pub fn sweep_later(&self) -> Result<(), Failure> {
        const LATER_MS: i64 = 5 * 60_000;
        let answer = self.runtime.cron("* * * * *", crate::measure::unix_ms()? + LATER_MS)?;
        if answer.is_success() { Ok(()) } else { Err(format!("the cron answered {}", answer.status).into()) }
    }

    /// A client with connections of its own.
    pub fn client(&self) -> Client {
        client_of(&self.runtime)
    }

    /// Sends an archive; the job's id.
    pub fn upload(&self, user: i64, archive: &[u8]) -> Result<i64, Failure> {
        let path = format!("/admin/users/{user}/import?filename=bench.zip");
        let answer = accepted(&self.client.post_bytes(&path, "application/zip", archive)?)?;
        answer.pointer("/id").and_then(Value::as_i64).ok_or_else(|| "an import without an id".into())
    }

    pub fn import_job(&self, id: i64) -> Result<Value, Failure> {
        accepted(&self.client.get(&format!("/admin/import-jobs/{id}"))?)
    }

    /// Asks a tool. With a request id, the log row of this very call can be found.
    pub fn ask(&self, tool: &str, arguments: &Value, request_id: &str) -> Result<Value, Failure> {
        let headers = [("content-type", "application/json"), ("x-request-id", request_id)];
        let body = arguments.to_string();
        accepted(&self.client.send("POST", &format!("/tools/{tool}"), &headers, Some(body.as_bytes()))?)
    }

    /// Rows that D1 read for a request, once its log row is there.
    pub fn rows_read(&self, request_id: &str) -> Result<i64, Failure> {
        const ROWS_READ: &str = "SELECT max(json_extract(fields, '$.rows_read')) FROM logs \
            WHERE request_id = ?1 AND message = 'A request was answered'";
        self.wait_for_value(ROWS_READ, [request_id])
    }

    /// One value out of the Worker's own database, as soon as it is not NULL.
    pub fn wait_for_value<T: FromSql>(&self, sql: &str, parameters: impl Params + Copy) -> Result<T, Failure> {
        for _ in 0..100 {
            let found: Option<T> = self.runtime.database()?.query_row(sql, parameters, |row| row.get(0))?;
            if let Some(found) = found {
                return Ok(found);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(format!("nothing came of {sql}").into())
    }

    pub fn value<T: FromSql>(&self, sql: &str) -> Result<T, Failure> {
        Ok(self.runtime.database()?.query_row(sql, [], |row| row.get(0))?)
    }

    /// The most memory the module has needed: its linear memory never shrinks.
    pub fn module_memory_bytes(&self) -> Result<Option<u64>, Failure> {
        let health = accepted(&self.client.get("/healthz?deep=1")?)?;
        Ok(health.pointer("/memory_bytes").and_then(Value::as_u64))
    }

    /// The most resident memory of the largest of the runtime's processes, where the system tells.
    pub fn runtime_memory_bytes(&self) -> Option<u64> {
        let group = self.runtime.process_group()?;
        let processes = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
        processes.filter(|process| is_of_runtime(process, group)).filter_map(|process| peak_bytes(&process)).max()
    }

    /// The profiler of the Worker's own engine.
    pub fn inspector(&self) -> Result<Inspector, Failure> {
        Ok(self.runtime.inspector()?)
    }

    /// Processor time that the runtime has taken so far: the Worker's, the database's and the queue's.
    pub fn processor_time(&self) -> Option<Duration> {
        let group = self.runtime.process_group()?;
        let processes = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
        Some(processes.filter(|process| is_of_runtime(process, group)).filter_map(|process| ticks(&process)).sum())
    }

    /// A copy of the database file, opened. The Worker is stopped for it and started again.
    pub fn copy_of_database(&mut self, folder: &Path) -> Result<Connection, Failure> {
        let live = PathBuf::from(self.runtime.database()?.path().ok_or("the database has no path")?);
        self.runtime.kill();
        let copy = folder.join("copy.sqlite");
        fs::copy(&live, &copy)?;
        let beside = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
        if beside(&live).exists() {
            fs::copy(beside(&live), beside(&copy))?;
        }
        self.restart()?;
        let connection = Connection::open(copy)?;
        // Everything in memory: the native side is as warm as it can be.
        connection
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA cache_size = -400000; PRAGMA query_only = ON")?;
        Ok(connection)
    }
}

fn client_of(runtime: &Runtime) -> Client {
    runtime.client().with_bearer(ADMIN_TOKEN)
}

fn user_of(client: &Client) -> Result<i64, Failure> {
    let body = json!({"display_name": "Bench", "timezone": ZONE});
    let created = accepted(&client.post_json("/admin/users", &body)?)?;
    created.pointer("/id").and_then(Value::as_i64).ok_or_else(|| "a new user without an id".into())
}

/// The body of a good answer.
pub fn accepted(response: &Response) -> Result<Value, Failure> {
    if response.is_success() {
        Ok(response.json())
    } else {
        Err(format!("the Worker answered {}: {}", response.status, response.text()).into())
    }
}

fn is_of_runtime(process: &Path, group: u32) -> bool {
    let stat = fs::read_to_string(process.join("stat")).unwrap_or_default();
    // `pid (name) state parent group ...`; a name may hold blanks and brackets.
    let Some((name, rest)) = stat.rsplit_once(')') else { return false };
    name.contains("(workerd") && rest.split_whitespace().nth(2) == Some(&group.to_string())
}

fn peak_bytes(process: &Path) -> Option<u64> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.split_whitespace().next()?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1_024)
}

/// Processor time of a process, in the kernel's ticks of a hundredth of a second.
fn ticks(process: &Path) -> Option<Duration> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Duration::from_millis((user + system) * 10))
}
