//! The OpenAPI documents against the running Worker: a fuzzer sends what they allow and what they do not, and every answer has
//! to be one that they describe.

use std::{fs, path::PathBuf, process::Command};

use listenlog_workbench::generator::{ExportPlan, FieldSet, write_extended};

use crate::worker::{ADMIN_TOKEN, Worker};

/// What an answer is held against. Whether something may be sent is the Worker's to say, and is not the document's promise.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance,unsupported_method";

/// Sends what follows from the document and a fixed seed, and fails with what did not fit.
fn fuzz(name: &str, document: &str, examples: u32) {
    let worker = Worker::start();
    let user = worker.user("Europe/Berlin");
    let archive = write_extended(&ExportPlan::small(11).live(), FieldSet::R4).unwrap();
    assert_eq!(worker.import(user, &archive)["status"], "success");
    let program =
        std::env::var("SCHEMATHESIS").unwrap_or_else(|_| panic!("SCHEMATHESIS is not set: run `make end-to-end`"));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    let output = Command::new(program)
        .args(["run", &format!("{}{document}", worker.runtime.url())])
        .args(["-H", &format!("Authorization: Bearer {ADMIN_TOKEN}"), "--checks", CHECKS])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", &examples.to_string(), "--workers", "2"])
        .args(["--seed", "20261130", "--generation-deterministic"])
        .args(["--request-timeout", "30", "--suppress-health-check", "all", "--warnings", "off", "--no-color"])
        .current_dir(&folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    // A run that found nothing to test would be as green.
    assert!(said.contains("No issues found") || said.contains("passed"), "{said}");
}

#[test]
fn the_document_for_gpt_actions_describes_every_answer() {
    fuzz("actions", "/openapi.json", 8);
}
