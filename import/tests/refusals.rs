//! Every mistake and every refusal: one sentence a person can act on, and an exit code a script can.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's helpers fail as the test does")]

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Output},
    thread,
};

use listenlog_workbench::generator::{ExportPlan, FieldSet, write_extended};

/// What a played server answers to a path: status and body.
type Played = (&'static str, u16, &'static str);

/// A folder with an export in it, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn with_export(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("listenlog-refusals-{}-{test}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("data.zip"), write_extended(&ExportPlan::small(1).live(), FieldSet::R4).unwrap())
            .unwrap();
        Self(folder)
    }

    fn export(&self) -> String {
        self.0.join("data.zip").display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

const TOKEN: &str = "the-s3cret-token";

fn import(arguments: &[&str], token: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_import"));
    for name in ["ADMIN_TOKEN", "ADMIN_USERNAME", "ADMIN_PASSWORD"] {
        command.env_remove(name);
    }
    if let Some(token) = token {
        command.env("ADMIN_TOKEN", token);
    }
    command.args(arguments).output().unwrap()
}

/// What it said, and its exit code. The token is in none of it.
fn said(output: &Output) -> (String, i32) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains(TOKEN), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    (text, output.status.code().unwrap())
}

/// A server that answers each path with what `answers` says, and anything else with 404.
fn server(answers: &'static [(&'static str, u16, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), answers);
        }
    });
    url
}

fn answer(mut stream: TcpStream, answers: &[(&str, u16, &str)]) {
    let mut seen = Vec::new();
    let mut chunk = [0_u8; 8_192];
    loop {
        let Ok(length) = stream.read(&mut chunk) else { return };
        seen.extend_from_slice(&chunk[..length]);
        let text = String::from_utf8_lossy(&seen).into_owned();
        let Some((head, _)) = text.split_once("\r\n\r\n") else {
            if length == 0 {
                return;
            }
            continue;
        };
        let stated = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let body_bytes = seen.len() - head.len() - 4;
        if body_bytes >= stated.unwrap_or(0_usize) || length == 0 {
            let path = head.split(' ').nth(1).unwrap_or_default();
            let found = answers.iter().find(|(known, ..)| path.starts_with(known));
            let (status, body) = found.map_or((404, "{}"), |(_, status, body)| (*status, *body));
            let answer = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            drop(stream.write_all(answer.as_bytes()));
            return;
        }
    }
}

const HEALTHY: (&str, u16, &str) = ("/healthz", 200, r#"{"status":"healthy"}"#);

#[test]
fn what_is_wrong_on_this_machine_is_told_before_anything_is_sent() {
    let folder = Folder::with_export("local");
    let export = folder.export();
    let missing = folder.0.join("other.zip").display().to_string();
    let text_file = folder.0.join("notes.txt");
    fs::write(&text_file, "x".repeat(4_000)).unwrap();
    let text_file = text_file.display().to_string();
    let away = "https://listenlog.invalid";
    for (arguments, token, says) in [
        (vec![], Some(TOKEN), "Which file?"),
        (vec!["--file", missing.as_str()], Some(TOKEN), "There is no file"),
        (vec!["--file", text_file.as_str()], Some(TOKEN), "not a ZIP"),
        (vec!["--file", export.as_str(), "--url", away], None, "ADMIN_TOKEN"),
        (vec!["--file", export.as_str(), "--url", "http://listenlog.invalid"], Some(TOKEN), "not encrypted"),
        (vec!["--file", export.as_str(), "--plan", "gold"], Some(TOKEN), "free or paid"),
    ] {
        let (text, code) = said(&import(&arguments, token));
        assert!(text.contains(says) && code == 2, "{arguments:?}: {code} {text}");
    }
}

#[test]
fn a_worker_that_is_not_there_is_unreachable() {
    let folder = Folder::with_export("nobody");
    let url = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let (text, code) = said(&import(&["--file", &folder.export(), "--url", &url], Some(TOKEN)));
    assert!(text.contains("cannot be reached: nothing listens there") && code == 3, "{code} {text}");
    let (text, code) = said(&import(&["--file", &folder.export(), "--url", "https://listenlog.invalid"], Some(TOKEN)));
    assert!(text.contains("cannot be reached") && code == 3, "{code} {text}");
    let other = server(&[("/", 200, "<html>")]);
    let (text, code) = said(&import(&["--file", &folder.export(), "--url", &other], Some(TOKEN)));
    assert!(text.contains("not as a Listenlog Worker") && code == 3, "{code} {text}");
}

#[test]
fn each_refusal_has_its_sentence() {
    const USERS: (&str, u16, &str) =
        ("/admin/users?", 200, r#"{"items":[{"id":1,"display_name":"Ada"},{"id":2,"display_name":"Bob"}],"total":2}"#);
    const ADA: (&str, u16, &str) = ("/admin/users/1", 200, r#"{"id":1,"display_name":"Ada"}"#);
    const NO_JOBS: (&str, u16, &str) = ("/admin/import-jobs?", 200, r#"{"items":[],"total":0}"#);
    let folder = Folder::with_export("refusals");
    let refused: [(&'static [Played], &[&str], &str); 7] = [
        (&[HEALTHY, ("/admin", 401, r#"{"detail":"no"}"#)], &[], "does not accept the credential"),
        (&[HEALTHY, USERS], &[], "Its users are: 1 (Ada), 2 (Bob)."),
        (&[HEALTHY, USERS], &["--user", "Eve"], "There is no user Eve"),
        (&[HEALTHY, USERS], &["--user", "7"], "There is no user 7"),
        (&[HEALTHY, ("/admin/users?", 200, r#"{"items":[],"total":0}"#)], &[], "no user yet"),
        (
            &[HEALTHY, ("/admin/users/1/import", 413, r#"{"detail":"At most 5 MB."}"#), ADA, NO_JOBS],
            &["--user", "1"],
            "too large",
        ),
        (
            &[HEALTHY, ("/admin/users/1/import", 422, r#"{"detail":"file: is odd","request_id":"r-1"}"#), ADA, NO_JOBS],
            &["--user", "1"],
            "refused (422): file: is odd (request r-1)",
        ),
    ];
    for (answers, more, says) in refused {
        let url = server(answers);
        let mut arguments = vec!["--file".to_owned(), folder.export(), "--url".to_owned(), url];
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (text, code) = said(&import(&arguments, Some(TOKEN)));
        assert!(text.contains(says) && code == 4, "{says}: {code} {text}");
    }
}
