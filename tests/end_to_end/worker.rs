//! A Worker of one's own for a test, and what most tests do with it.

use std::{
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use listenlog_workbench::{
    client::{Client, Response},
    runtime::{Runtime, RuntimeOptions},
};
use serde_json::{Value, json};

pub const ADMIN_TOKEN: &str = "end-to-end-token-of-the-admin";

/// How long anything may take, or stand still, before a test gives up: far more than it does.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// States that are left over (of failed tests, to be looked at, and of shared Workers) go after this.
const STATE_KEPT: Duration = Duration::from_hours(2);

/// A Worker over an empty state.
pub struct Worker {
    pub runtime: Runtime,
    pub state: PathBuf,
}

impl Worker {
    /// In token mode, with [`ADMIN_TOKEN`].
    pub fn start() -> Self {
        Self::with_vars(&[("ADMIN_AUTH_MODE", "token"), ("ADMIN_TOKEN", ADMIN_TOKEN)])
    }

    /// One for all tests that do not mind each other's users and log rows. It ends with the test program.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Worker> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub fn with_vars(vars: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("end-to-end-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let states = std::env::temp_dir().join("listenlog");
        remove_old_states(&states);
        let state = states.join(name);
        let mut options = RuntimeOptions::new(&state);
        for (name, value) in vars {
            options = options.var(name, value);
        }
        let runtime = Runtime::start(options).unwrap_or_else(|error| panic!("{error}"));
        Self { runtime, state }
    }

    /// With the admin's token.
    pub fn admin(&self) -> Client {
        self.runtime.client().with_bearer(ADMIN_TOKEN)
    }

    /// A new user's id.
    pub fn user(&self, timezone: &str) -> i64 {
        let body = json!({"display_name": "Ada", "timezone": timezone});
        let answer = self.admin().post_json("/admin/users", &body).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["id"].as_i64().unwrap()
    }

    pub fn upload(&self, user: i64, archive: &[u8]) -> i64 {
        let path = format!("/admin/users/{user}/import?again=1&filename=my_spotify_data.zip");
        let answer = self.admin().post_bytes(&path, "application/zip", archive).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["id"].as_i64().unwrap()
    }

    pub fn import_job(&self, id: i64) -> Value {
        self.admin().get(&format!("/admin/import-jobs/{id}")).unwrap().json()
    }

    /// Waits until the import is over. A busy machine may take its time, as long as rows go in.
    pub fn finished(&self, id: i64) -> Value {
        let mut rows_read = Value::Null;
        loop {
            let turned = wait_for(|| {
                let job = self.import_job(id);
                let is_over = !matches!(job["status"].as_str(), Some("pending" | "running"));
                (is_over || job["progress"]["rows_read"] != rows_read).then_some((is_over, job))
            });
            match turned {
                (true, job) => return job,
                (false, job) => rows_read = job["progress"]["rows_read"].clone(),
            }
        }
    }

    pub fn import(&self, user: i64, archive: &[u8]) -> Value {
        let id = self.upload(user, archive);
        self.finished(id)
    }

    pub fn tool(&self, name: &str, arguments: &Value) -> Response {
        self.admin().post_json(&format!("/tools/{name}"), arguments).unwrap()
    }

    /// One value out of the Worker's own database file.
    pub fn number(&self, sql: &str) -> i64 {
        self.runtime.database().unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

fn remove_old_states(states: &Path) {
    for entry in std::fs::read_dir(states).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with("end-to-end-");
        // Another test program may be removing them as well.
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let is_old = modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > STATE_KEPT));
        if is_ours && is_old {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.runtime.kill();
        if !thread::panicking() {
            drop(std::fs::remove_dir_all(&self.state));
        }
    }
}

/// The real time, by which the Worker goes too; milliseconds since 1970.
pub fn now_ms() -> i64 {
    i64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

/// Looks again and again until there is something to be found.
pub fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let until = now_ms() + i64::try_from(PATIENCE.as_millis()).unwrap();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(now_ms() < until, "nothing came of it");
        thread::sleep(Duration::from_millis(20));
    }
}
