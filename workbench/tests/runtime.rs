//! The runner against a Worker of ten lines: start, cron, database, crash, restart, and nothing left behind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::PathBuf, process::Command, thread, time::Duration};

use listenlog_workbench::runtime::{Runtime, RuntimeOptions, repository};

const WORKER: &str = r#"
export default {
  async fetch(request, env) {
    const path = new URL(request.url).pathname;
    if (path === "/healthz") return Response.json({ status: "healthy", greeting: env.GREETING });
    if (path === "/add") await env.DB.prepare("INSERT INTO events (what) VALUES ('fetch')").run();
    return Response.json({ path });
  },
  async scheduled(event, env) {
    await env.DB.prepare("INSERT INTO events (what) VALUES (?1)").bind(event.cron + "@" + event.scheduledTime).run();
  },
};
"#;

const CONFIGURATION: &str = r#"
name = "throw-away"
main = "worker.js"
compatibility_date = "2026-11-01"
[[d1_databases]]
binding = "DB"
database_name = "listenlog"
database_id = "00000000-0000-0000-0000-000000000000"
migrations_dir = "migrations"
[triggers]
crons = ["*/5 * * * *"]
"#;

/// A folder of this test's own, gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn with_worker(name: &str, worker: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("listenlog-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("migrations")).unwrap();
        fs::write(folder.join("worker.js"), worker).unwrap();
        fs::write(folder.join("wrangler.toml"), CONFIGURATION).unwrap();
        fs::write(folder.join("migrations/0001_events.sql"), "CREATE TABLE events (what TEXT NOT NULL);").unwrap();
        Self(folder)
    }

    fn options(&self) -> RuntimeOptions {
        RuntimeOptions { root: self.0.clone(), ..RuntimeOptions::new(self.0.join("state")) }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

/// The tools come with `make build`; without them there is nothing to run.
fn tools_are_installed() -> bool {
    let installed = repository().join("node_modules/wrangler/bin/wrangler.js").exists();
    if !installed {
        eprintln!("skipped: node_modules is not installed");
    }
    installed
}

fn group_is_alive(group: u32) -> bool {
    Command::new("sh").args(["-c", "kill -0 \"-$0\" 2>/dev/null"]).arg(group.to_string()).status().unwrap().success()
}

/// Reaping by the system's first process may take a moment.
fn group_ends(group: u32) -> bool {
    (0..100).any(|_| {
        thread::sleep(Duration::from_millis(20));
        !group_is_alive(group)
    })
}

#[test]
fn a_worker_starts_crashes_restarts_and_leaves_nothing_behind() {
    if !tools_are_installed() {
        return;
    }
    let folder = Folder::with_worker("runtime", WORKER);
    let mut runtime = Runtime::start(folder.options().var("GREETING", "hello: world")).unwrap();
    let client = runtime.client();
    assert_eq!(client.get("/healthz").unwrap().json()["greeting"], "hello: world");
    assert_eq!(client.get("/add").unwrap().status, 200);
    let fired = runtime.cron("*/5 * * * *", 1_700_000_000_000).unwrap();
    assert_eq!((fired.status, fired.json()["outcome"].as_str()), (200, Some("ok")));

    let events = |runtime: &Runtime| -> Vec<String> {
        let database = runtime.database().unwrap();
        let mut statement = database.prepare("SELECT what FROM events ORDER BY rowid").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(events(&runtime), ["fetch", "*/5 * * * *@1700000000000"]);

    let group = runtime.process_group().unwrap();
    runtime.kill();
    assert!(group_ends(group));
    assert!(client.get("/healthz").is_err());
    assert_eq!(events(&runtime).len(), 2);

    runtime.restart_with(vec![("GREETING".to_owned(), "again".to_owned())]).unwrap();
    assert_eq!(client.get("/healthz").unwrap().json()["greeting"], "again");
    assert_eq!(client.get("/add").unwrap().status, 200);
    assert_eq!(events(&runtime).len(), 3);

    let group = runtime.process_group().unwrap();
    drop(runtime);
    assert!(group_ends(group));
}

#[test]
fn a_worker_that_does_not_start_is_reported_with_its_log() {
    if !tools_are_installed() {
        return;
    }
    let folder = Folder::with_worker("broken", "export default { fetch( }");
    let options = RuntimeOptions { ready_within: Duration::from_secs(12), ..folder.options() };
    let error = Runtime::start(options).unwrap_err().to_string();
    assert!(error.contains("Its log ends:") && error.contains("worker.js"), "{error}");
}

#[test]
fn missing_tools_are_named() {
    let folder = Folder::with_worker("toolless", WORKER);
    let options = RuntimeOptions { node_modules: folder.0.join("nowhere"), ..folder.options() };
    let error = Runtime::start(options).unwrap_err().to_string();
    assert!(error.contains("nowhere/.bin/node is missing: run `make build` first."), "{error}");
}
