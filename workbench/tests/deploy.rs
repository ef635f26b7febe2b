//! Deploying with a wrangler that only plays one: it keeps what it was told to create, writes down every call, and fails
//! where it is told to. Its answers have the form of wrangler 4.164's.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

const WRANGLER: &str = r#"#!/bin/sh
echo "$*" >> "$FAKE/calls"
if [ -f "$FAKE/fail" ] && case "$*" in "$(cat "$FAKE/fail")"*) true;; *) false;; esac; then
  echo "X [ERROR] A request to the Cloudflare API failed: it was told to." >&2; exit 1
fi
there() { [ -e "$FAKE/there/$1" ]; }
case "$*" in
  "whoami --json")
    if [ -f "$FAKE/logged-out" ]; then echo '{"loggedIn":false}'; exit 1; fi
    if [ -f "$FAKE/accounts" ]; then cat "$FAKE/accounts"; exit 0; fi
    echo '{"loggedIn":true,"authType":"OAuth Token","email":"ada@example.org","accounts":[{"name":"Ada","id":"acc-1"}]}';;
  "d1 list --json")
    if there d1; then echo '[{"uuid":"other","name":"x"},{"uuid":"11111111-2222-3333-4444-555555555555","name":"listenlog"}]'
    else echo '[{"uuid":"other","name":"x"}]'; fi;;
  "d1 create listenlog") touch "$FAKE/there/d1"; echo "Successfully created DB";;
  "r2 bucket info "*) there "r2-$4" || { echo "X [ERROR] The specified bucket does not exist. [code: 10006]" >&2; exit 1; };;
  "r2 bucket create "*) touch "$FAKE/there/r2-$4";;
  "r2 bucket delete "*) rm "$FAKE/there/r2-$4";;
  "queues info "*) there "queue-$3" || { echo "X [ERROR] Queue \"$3\" does not exist." >&2; exit 1; };;
  "queues create "*) touch "$FAKE/there/queue-$3";;
  "queues consumer remove "*) ;;
  "queues delete "*) rm "$FAKE/there/queue-$3";;
  "secret list --name listenlog --format json")
    there worker || { echo 'X [ERROR] Worker "listenlog" not found.' >&2; exit 1; }
    cat "$FAKE/secret-names";;
  "d1 migrations apply listenlog --remote -c "*) grep -q 11111111-2222 "$7" || exit 1;;
  "deploy -c "*)
    touch "$FAKE/there/worker"
    cp "$3" "$FAKE/deployed.toml"
    if [ "$4" = "--secrets-file" ]; then
      cp "$5" "$FAKE/received.json"; ls -l "$5" | cut -c1-10 > "$FAKE/mode"
      cat "$5" >> "$FAKE/all-received.json"
    fi
    node=$(grep -o '"[A-Z_]*":' "$FAKE/all-received.json" | sort -u | sed 's/:$//; s/.*/{"name":&,"type":"secret_text"}/' | paste -sd, -)
    echo "[$node]" > "$FAKE/secret-names"
    echo '{"type":"wrangler-session","version":1}' >> "$WRANGLER_OUTPUT_FILE_PATH"
    echo '{"type":"deploy","version":1,"targets":["schedule: * * * * *","https://listenlog.ada.workers.dev"]}' >> "$WRANGLER_OUTPUT_FILE_PATH";;
  "delete listenlog --force") rm "$FAKE/there/worker";;
  "d1 delete listenlog -y") rm "$FAKE/there/d1";;
  *) echo "unknown command: $*" >&2; exit 64;;
esac
"#;

/// A checkout and an account of this test's own.
struct Stage {
    folder: PathBuf,
}

struct Ran {
    success: bool,
    said: String,
}

impl Stage {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("listenlog-deploy-{}-{number}", std::process::id()));
        fs::create_dir_all(folder.join("root")).unwrap();
        fs::create_dir_all(folder.join("bin")).unwrap();
        fs::create_dir_all(folder.join("account/there")).unwrap();
        let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        fs::copy(repository.join("wrangler.toml"), folder.join("root/wrangler.toml")).unwrap();
        fs::write(folder.join("bin/wrangler"), WRANGLER).unwrap();
        fs::set_permissions(folder.join("bin/wrangler"), PermissionsExt::from_mode(0o755)).unwrap();
        fs::write(folder.join("account/all-received.json"), "").unwrap();
        Self { folder }
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)], typed: &str) -> Ran {
        let path = format!("{}:{}", self.folder.join("bin").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_deploy"));
        command
            .args(arguments)
            .env("PATH", path)
            .env("FAKE", self.folder.join("account"))
            .env("LISTENLOG_ROOT", self.folder.join("root"))
            .env_remove("SPOTIFY_CLIENT_ID")
            .env_remove("SPOTIFY_CLIENT_SECRET")
            .env_remove("CLOUDFLARE_ACCOUNT_ID")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), typed.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        Ran { success: output.status.success(), said: String::from_utf8(said).unwrap() }
    }

    fn deploy(&self) -> Ran {
        self.run(&[], &[], "")
    }

    /// What wrangler was called with since the last look.
    fn calls(&self) -> Vec<String> {
        let path = self.folder.join("account/calls");
        let calls = fs::read_to_string(&path).unwrap_or_default();
        fs::write(path, "").unwrap();
        calls.lines().map(|line| line.replace(&self.folder.display().to_string(), "")).collect()
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.join(path)).unwrap_or_default()
    }

    fn secrets(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.read(path)).unwrap()
    }

    fn set(&self, name: &str, content: &str) {
        fs::write(self.folder.join("account").join(name), content).unwrap();
    }

    fn forget(&self, name: &str) {
        fs::remove_file(self.folder.join("account").join(name)).unwrap();
    }

    fn there(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.join("account/there")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            fs::remove_dir_all(&self.folder).unwrap();
        }
    }
}

const ALL: [&str; 5] = ["d1", "queue-listenlog-jobs", "queue-listenlog-jobs-dead", "r2-listenlog-archives", "worker"];

#[test]
fn a_first_run_creates_all_there_is_and_tells_what_comes_next() {
    let stage = Stage::new();
    let ran = stage.deploy();
    assert!(ran.success, "{}", ran.said);
    assert_eq!(stage.there(), ALL);
    let calls = stage.calls();
    let at = |call: &str| calls.iter().position(|made| made.starts_with(call)).unwrap_or_else(|| panic!("{calls:?}"));
    assert!(at("d1 create") < at("d1 migrations apply") && at("d1 migrations apply") < at("deploy"));
    let sent = stage.secrets("account/received.json");
    let key = sent["TOKEN_ENCRYPTION_KEY"].as_str().unwrap();
    assert_eq!(base64::Engine::decode(&base64::prelude::BASE64_STANDARD, key).unwrap().len(), 32);
    let token = sent["ADMIN_TOKEN"].as_str().unwrap();
    assert!(token.len() >= 43 && ran.said.contains(token), "{}", ran.said);
    assert_eq!(stage.read("account/mode").trim(), "-rw-------");
    assert!(!calls.iter().any(|call| call.contains(token) || call.contains(key)), "a secret was an argument");
    let deployed = stage.read("account/deployed.toml");
    assert!(deployed.contains("ADMIN_AUTH_MODE = \"token\""), "{deployed}");
    assert!(deployed.contains("PUBLIC_URL = \"https://listenlog.ada.workers.dev\""), "{deployed}");
    for told in ["https://listenlog.ada.workers.dev", "healthz?deep=1", "No Spotify app is set", "  100  ", "  500  "] {
        assert!(ran.said.contains(told), "{told} is not in\n{}", ran.said);
    }
    assert!(!stage.folder.join("root/.deploy/unsent.json").exists());
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../wrangler.toml");
    assert_eq!(stage.read("root/wrangler.toml"), fs::read_to_string(repository).unwrap());
}

#[test]
fn a_second_run_creates_nothing_and_changes_no_secret() {
    let stage = Stage::new();
    stage.deploy();
    let secrets = stage.read("root/.deploy/secrets.json");
    stage.calls();
    stage.set("received.json", "{}");
    let again = stage.deploy();
    assert!(again.success, "{}", again.said);
    let calls = stage.calls();
    assert!(!calls.iter().any(|call| call.contains("create") || call.contains("--secrets-file")), "{calls:?}");
    assert_eq!(calls.iter().filter(|call| call.starts_with("deploy ")).count(), 1, "{calls:?}");
    assert_eq!(stage.read("root/.deploy/secrets.json"), secrets);
    assert_eq!(stage.read("account/received.json"), "{}");
    let token = stage.secrets("root/.deploy/secrets.json")["ADMIN_TOKEN"].as_str().unwrap().to_owned();
    assert!(!again.said.contains(&token), "a token is shown once");
}

#[test]
fn another_machine_deploys_without_making_new_secrets() {
    let stage = Stage::new();
    stage.deploy();
    fs::remove_dir_all(stage.folder.join("root/.deploy")).unwrap();
    stage.set("received.json", "{}");
    let ran = stage.deploy();
    assert!(ran.success, "{}", ran.said);
    assert_eq!(stage.read("account/received.json"), "{}");
    assert_eq!(stage.read("root/.deploy/secrets.json"), "");
}

#[test]
fn wherever_a_run_breaks_off_it_says_why_and_the_next_one_completes_it() {
    let steps = [
        "d1 list",
        "d1 create",
        "r2 bucket create",
        "queues create listenlog-jobs-dead",
        "queues create listenlog-jobs",
        "d1 migrations apply",
        "deploy",
    ];
    for step in steps {
        let stage = Stage::new();
        stage.set("fail", step);
        let broken = stage.deploy();
        assert!(!broken.success, "{step}");
        assert!(broken.said.contains("it was told to"), "{step}: {}", broken.said);
        let made = stage.read("root/.deploy/secrets.json");
        stage.forget("fail");
        let completed = stage.deploy();
        assert!(completed.success, "{step}: {}", completed.said);
        assert_eq!(stage.there(), ALL, "{step}");
        let sent = stage.secrets("account/received.json");
        assert!(sent["ADMIN_TOKEN"].is_string(), "{step}: {sent}");
        if !made.is_empty() {
            let made: serde_json::Value = serde_json::from_str(&made).unwrap();
            assert_eq!(made["TOKEN_ENCRYPTION_KEY"], sent["TOKEN_ENCRYPTION_KEY"], "{step}: made once");
        }
    }
}

#[test]
fn who_is_not_logged_in_or_has_several_accounts_is_told_what_to_do_before_anything_happens() {
    let stage = Stage::new();
    stage.set("logged-out", "");
    let ran = stage.deploy();
    assert!(!ran.success && ran.said.contains("wrangler login"), "{}", ran.said);
    stage.forget("logged-out");
    stage.set("accounts", r#"{"loggedIn":true,"accounts":[{"name":"Ada","id":"acc-1"},{"name":"Eve","id":"acc-2"}]}"#);
    let ran = stage.deploy();
    assert!(!ran.success && ran.said.contains("CLOUDFLARE_ACCOUNT_ID") && ran.said.contains("acc-2"), "{}", ran.said);
    assert!(stage.there().is_empty());
    let ran = stage.run(&[], &[("CLOUDFLARE_ACCOUNT_ID", "acc-2")], "");
    assert!(ran.success && ran.said.contains("Eve (acc-2)"), "{}", ran.said);
}

#[test]
fn settings_of_one_run_are_kept_for_the_next() {
    let stage = Stage::new();
    let spotify = [("SPOTIFY_CLIENT_ID", "my-app"), ("SPOTIFY_CLIENT_SECRET", "my-secret")];
    let ran = stage.run(&["--vars", "DEFAULT_TIMEZONE:Europe/Berlin"], &spotify, "");
    assert!(ran.success && ran.said.contains("/auth/callback"), "{}", ran.said);
    assert_eq!(stage.secrets("account/received.json")["SPOTIFY_CLIENT_SECRET"], "my-secret");
    assert!(stage.deploy().success);
    let deployed = stage.read("account/deployed.toml");
    for line in ["DEFAULT_TIMEZONE = \"Europe/Berlin\"", "SPOTIFY_CLIENT_ID = \"my-app\""] {
        assert!(deployed.contains(line), "{deployed}");
    }
    assert!(!deployed.contains("my-secret"));
}

#[test]
fn a_rotated_key_keeps_the_old_one_for_reading() {
    let stage = Stage::new();
    stage.deploy();
    let before = stage.secrets("account/received.json");
    let ran = stage.run(&["--rotate", "TOKEN_ENCRYPTION_KEY"], &[], "");
    assert!(ran.success, "{}", ran.said);
    let after = stage.secrets("account/received.json");
    assert_ne!(after["TOKEN_ENCRYPTION_KEY"], before["TOKEN_ENCRYPTION_KEY"]);
    assert_eq!(after["TOKEN_ENCRYPTION_KEYS_OLD"], before["TOKEN_ENCRYPTION_KEY"]);
    assert_eq!(after.get("ADMIN_TOKEN"), None, "what was not asked for stays as it is");
    let ran = stage.run(&["--rotate", "ADMIN_TOKEN"], &[], "");
    let token = stage.secrets("account/received.json")["ADMIN_TOKEN"].as_str().unwrap().to_owned();
    assert!(ran.success && ran.said.contains(&token) && token != before["ADMIN_TOKEN"], "{}", ran.said);
    fs::remove_file(stage.folder.join("root/.deploy/secrets.json")).unwrap();
    let refused = stage.run(&["--rotate", "TOKEN_ENCRYPTION_KEY"], &[], "");
    assert!(!refused.success && refused.said.contains("secrets.json"), "{}", refused.said);
}

#[test]
fn a_door_that_would_stand_open_or_shut_for_all_is_not_deployed() {
    let stage = Stage::new();
    let open = stage.run(&["--vars", "ADMIN_AUTH_MODE:disabled"], &[], "");
    assert!(!open.success && open.said.contains("token or basic"), "{}", open.said);
    let stage = Stage::new();
    let nameless = stage.run(&["--vars", "ADMIN_AUTH_MODE:basic"], &[], "");
    assert!(!nameless.success && nameless.said.contains("ADMIN_USERNAME"), "{}", nameless.said);
    let stage = Stage::new();
    let basic = stage.run(&["--vars", "ADMIN_AUTH_MODE:basic ADMIN_USERNAME:ada"], &[], "");
    let password = stage.secrets("account/received.json")["ADMIN_PASSWORD"].as_str().unwrap().to_owned();
    assert!(basic.success && basic.said.contains(&password), "{}", basic.said);
}

#[test]
fn undeploying_asks_first_and_then_leaves_nothing() {
    let stage = Stage::new();
    stage.deploy();
    stage.calls();
    for typed in ["", "yes\n", "listenlo\n"] {
        let ran = stage.run(&["--undo"], &[], typed);
        assert!(!ran.success && ran.said.contains("nothing was deleted"), "{typed:?}: {}", ran.said);
    }
    assert_eq!(stage.there(), ALL);
    stage.set("fail", "d1 delete");
    assert!(!stage.run(&["--undo"], &[], "listenlog\n").success);
    assert_eq!(stage.there(), ["d1", "r2-listenlog-archives"]);
    stage.forget("fail");
    let ran = stage.run(&["--undo"], &[], "listenlog\n");
    assert!(ran.success, "{}", ran.said);
    assert!(stage.there().is_empty());
    let again = stage.run(&["--undo"], &[], "listenlog\n");
    assert!(again.success && again.said.contains("not there"), "{}", again.said);
}
