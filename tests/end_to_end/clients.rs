//! The MCP endpoint as others' programs see it: the protocol's conformance suite, the SDKs of two languages, the Inspector, and a
//! bridge for assistants that know only stdio. Their versions are pinned in `tests/clients/` and in Cargo.lock.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use listenlog_workbench::{
    runtime::repository,
    rust_sdk::{self, Asked, Seen},
};
use serde_json::{Value, json};

use crate::{tokens::issue, worker::Worker};

/// The suite asks hundreds of questions, and the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(4);

/// A Worker, and a token of a user without plays.
pub struct Scene {
    pub worker: &'static Worker,
    pub token: String,
}

impl Scene {
    pub fn set() -> Self {
        let worker = Worker::shared();
        let token = issue(worker, worker.user("Europe/Berlin"), &["read", "ops"]).token;
        Self { worker, token }
    }

    fn url(&self) -> String {
        format!("{}/mcp", self.worker.runtime.client().base_url())
    }
}

fn clients() -> PathBuf {
    repository().join("tests/clients")
}

/// Node of the version that the clients need.
fn node(arguments: &[&str]) -> Command {
    let mut command = Command::new(repository().join("node_modules/.bin/node"));
    command.args(arguments).current_dir(clients());
    command
}

pub struct Ended {
    pub succeeded: bool,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a client to its end. What it keeps for itself goes into the Worker's state.
pub fn run(scene: &Scene, name: &str, arguments: &[&str]) -> Ended {
    let home = scene.worker.state.join(format!("home-of-{name}"));
    fs::create_dir_all(&home).unwrap();
    let (out, err) = (home.join("stdout"), home.join("stderr"));
    let mut command = node(arguments);
    command.env("HOME", &home).env("NO_COLOR", "1").stdin(Stdio::null());
    command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
    let mut child = command.spawn().unwrap();
    let status = wait(&mut child);
    let [stdout, stderr] = [out, err].map(|path| fs::read_to_string(path).unwrap());
    Ended { succeeded: status, stdout, stderr }
}

#[expect(clippy::disallowed_methods, reason = "a test's patience")]
fn wait(child: &mut Child) -> bool {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("a client did not come to an end");
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The suite cannot send a token: this adds it.
struct Proxy {
    process: Child,
    url: String,
}

impl Proxy {
    fn start(scene: &Scene) -> Self {
        let url = scene.url();
        let port = url.trim_end_matches("/mcp").rsplit(':').next().unwrap();
        let mut command = node(&["with-token.mjs", port, &scene.token]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { process, url: format!("http://127.0.0.1:{}/mcp", port.trim()) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended with a failed test already.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// Fails for a scenario that fails without being named in the baseline, and for one that is named and passes.
fn assert_conforms(requirements: &str) {
    let scene = Scene::set();
    let proxy = Proxy::start(&scene);
    let suite = "node_modules/@modelcontextprotocol/conformance/dist/index.js";
    let baseline = format!("baseline-{requirements}.yml");
    let arguments =
        [suite, "server", "--url", &proxy.url, "--requirements", requirements, "--expected-failures", &baseline];
    let ended = run(&scene, &format!("conformance-{requirements}"), &arguments);
    assert!(ended.succeeded, "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("SUMMARY"), "{}", ended.stdout);
}

#[test]
fn the_conformance_suite_of_2025_11_25_finds_what_its_baseline_says() {
    assert_conforms("2025-11-25");
}

#[test]
fn the_conformance_suite_of_2026_07_28_finds_what_its_baseline_says() {
    assert_conforms("2026-07-28");
}

#[test]
fn every_baseline_entry_has_its_reason() {
    for requirements in ["2025-11-25", "2026-07-28"] {
        let baseline = fs::read_to_string(clients().join(format!("baseline-{requirements}.yml"))).unwrap();
        for line in baseline.lines().filter(|line| line.trim_start().starts_with("- ")) {
            let reason = line.split_once(" # ").map(|(_, reason)| reason.trim()).unwrap_or_default();
            assert!(reason.len() > 10, "{requirements}: {line}");
        }
    }
}

const TOOL: &str = "history_coverage";
const RESOURCE: &str = "listenlog://guide";
const PROMPT: &str = "my_year_so_far";

/// The arguments have fixed ends, so that two calls give one answer.
fn arguments() -> Value {
    json!({"from": "2020-01-01", "to": "2020-12-31"})
}

/// What a client saw is what plain HTTP tells.
fn assert_is_all(client: &str, scene: &Scene, seen: &Seen) {
    let http = scene.worker.runtime.client().with_bearer(&scene.token);
    let expected = http.post_json(&format!("/tools/{TOOL}"), &arguments()).unwrap().json();
    assert_eq!(serde_json::from_str::<Value>(&seen.text).unwrap(), expected, "{client}");
    assert!(seen.agree, "{client}: the structured answer is not the text");
    let listed = http.get("/mcp/tools").unwrap().json();
    let readable: Vec<&str> = listed.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert!(seen.tools.len() > 1 && seen.tools.iter().all(|tool| readable.contains(&tool.as_str())), "{client}");
    assert!(seen.tools.iter().any(|tool| tool == TOOL), "{client}: {:?}", seen.tools);
    assert!(seen.resources.iter().any(|resource| resource == RESOURCE), "{client}: {:?}", seen.resources);
    assert!(seen.prompts.iter().any(|prompt| prompt == PROMPT), "{client}: {:?}", seen.prompts);
    assert!(seen.resource_text.contains(TOOL), "{client}: {}", seen.resource_text);
    assert!(seen.prompt_text.contains("from="), "{client}: {}", seen.prompt_text);
    assert!(seen.refused, "{client}: wrong arguments were no result");
}

/// One of the scripts sees everything. `script` is its file, and what it wants before the rest.
fn assert_sees(script: &[&str]) {
    let scene = Scene::set();
    let (url, asked) = (scene.url(), arguments().to_string());
    let all = [script, &[&url, &scene.token, TOOL, &asked, RESOURCE, PROMPT]].concat();
    let client = script.join("-");
    let ended = run(&scene, &client, &all);
    assert!(ended.succeeded, "{client}: {}\n{}", ended.stdout, ended.stderr);
    assert_is_all(&client, &scene, &serde_json::from_str(ended.stdout.trim()).unwrap());
}

#[test]
fn the_rust_sdk_lists_calls_and_reads_in_both_eras() {
    let scene = Scene::set();
    let asked = Asked { tool: TOOL, arguments: &arguments(), resource: RESOURCE, prompt: PROMPT };
    for version in ["2025-11-25", "2026-07-28"] {
        let seen = rust_sdk::list_and_call(&scene.url(), &scene.token, version, &asked);
        assert_is_all(version, &scene, &seen.unwrap_or_else(|error| panic!("{version}: {error}")));
    }
}

#[test]
fn the_first_typescript_sdk_lists_calls_and_reads() {
    assert_sees(&["sdk-v1.mjs"]);
}

#[test]
fn the_second_typescript_sdk_lists_calls_and_reads_in_both_eras() {
    assert_sees(&["sdk-v2.mjs", "legacy"]);
    assert_sees(&["sdk-v2.mjs", "auto"]);
}

#[test]
fn a_bridge_for_stdio_lists_calls_and_reads() {
    assert_sees(&["mcp-remote.mjs"]);
}

#[test]
fn the_inspector_lists_and_calls_in_both_eras() {
    let scene = Scene::set();
    let (url, asked) = (scene.url(), arguments().to_string());
    let bearer = format!("Authorization: Bearer {}", scene.token);
    let inspector = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js";
    for era in ["legacy", "modern"] {
        let inspect = |more: &[&str]| {
            let fixed = [
                inspector,
                "--cli",
                &url,
                "--transport",
                "http",
                "--format",
                "json",
                "-q",
                "--stored-auth-only",
                "--header",
                &bearer,
                "--protocol-era",
                era,
            ];
            run(&scene, "inspector", &[&fixed, more].concat())
        };
        let listed = inspect(&["--method", "tools/list", "--strict"]);
        assert!(listed.succeeded && listed.stdout.contains(TOOL), "{era}: {}\n{}", listed.stdout, listed.stderr);
        assert!(!listed.stderr.contains("ortability"), "{era}: {}", listed.stderr);
        let called = inspect(&["--method", "tools/call", "--tool-name", TOOL, "--tool-args-json", &asked]);
        assert!(called.succeeded, "{era}: {}\n{}", called.stdout, called.stderr);
        assert!(called.stdout.contains("coverage_ratio"), "{era}: {}", called.stdout);
    }
}
