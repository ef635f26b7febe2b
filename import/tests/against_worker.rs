//! The program against the built Worker on the local runtime: both ways, interrupted, and done twice.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail as the test does")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use listenlog_workbench::{
    generator::{ExportPlan, FieldSet, seen_by_extended, write_extended},
    runtime::{Runtime, RuntimeOptions},
};

const TOKEN: &str = "the-token-of-this-test";

struct Scene {
    runtime: Runtime,
    folder: PathBuf,
    export: PathBuf,
    plays: i64,
}

impl Scene {
    fn set(test: &str, seed: u64) -> Self {
        let folder = env::temp_dir().join("listenlog").join(format!("import-{}-{test}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let life = ExportPlan::small(seed).live();
        let export = folder.join("my_spotify_data.zip");
        fs::write(&export, write_extended(&life, FieldSet::R4).unwrap()).unwrap();
        let options =
            RuntimeOptions::new(folder.join("state")).var("ADMIN_AUTH_MODE", "token").var("ADMIN_TOKEN", TOKEN);
        let plays = i64::try_from(seen_by_extended(&life, FieldSet::R4).len()).unwrap();
        Self { runtime: Runtime::start(options).unwrap(), folder, export, plays }
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_import"));
        command
            .env("ADMIN_TOKEN", TOKEN)
            .args(["--file", &shown(&self.export), "--url", &self.runtime.url()])
            .args(more);
        command
    }

    fn import(&self, more: &[&str]) -> (String, i32) {
        let Output { status, stdout, stderr } = self.command(more).output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        (text, status.code().unwrap())
    }

    fn start(&self, more: &[&str]) -> Child {
        self.command(more).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn stored(&self, user: i64) -> i64 {
        let database = self.runtime.database().unwrap();
        database.query_row("SELECT count(*) FROM plays WHERE user_id = ?1", [user], |row| row.get(0)).unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.runtime.kill();
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn an_export_goes_in_whole_or_in_slices_and_nothing_is_counted_twice() {
    let scene = Scene::set("both-ways", 51);
    let (text, code) = scene.import(&["--user", "Ada", "--create-user"]);
    assert!(code == 0 && text.contains("Complete: every play was counted again"), "{code} {text}");
    assert_eq!(scene.stored(1), scene.plays);
    let (text, code) = scene.import(&["--user", "ada", "--plan", "free", "--again"]);
    assert!(code == 0 && text.contains("plays that were there already"), "{code} {text}");
    assert_eq!(scene.stored(1), scene.plays);
    let (text, code) = scene.import(&["--user", "1"]);
    assert!(code == 0 && text.contains("This archive was imported on"), "{code} {text}");
    let (text, code) = scene.import(&["--user", "Bob", "--create-user", "--plan", "free"]);
    assert!(code == 0 && text.contains("plays added"), "{code} {text}");
    assert_eq!(scene.stored(2), scene.plays);
    let wrong = scene.command(&["--user", "1"]).env("ADMIN_TOKEN", "wrong").output().unwrap();
    assert_eq!(wrong.status.code(), Some(4), "{}", String::from_utf8_lossy(&wrong.stderr));
}

#[test]
fn a_program_or_a_worker_that_is_killed_in_between_costs_nothing() {
    let mut scene = Scene::set("killed", 52);
    let arguments = ["--user", "Ada", "--create-user", "--plan", "free"];
    for _ in 0..3 {
        let mut program = scene.start(&arguments);
        thread::sleep(Duration::from_millis(250));
        drop(program.kill());
        drop(program.wait());
    }
    let mut program = scene.start(&arguments);
    thread::sleep(Duration::from_millis(300));
    scene.runtime.restart().unwrap();
    assert_eq!(program.wait().unwrap().code(), Some(0), "it waits for the Worker and goes on");
    let (text, code) = scene.import(&arguments);
    assert!(code == 0, "{code} {text}");
    assert_eq!(scene.stored(1), scene.plays);
}
