//! Rules of the house that a reader relies on: size, first lines, and who may know whom.

use std::collections::BTreeSet;

use crate::repository::{files, read, rust_files, string_literals, without_tests};

const MAX_LINES: usize = 450;

fn all_code() -> Vec<String> {
    ["src/", "fuzz/", "import/", "workbench/", "tests/", "benches/"]
        .iter()
        .flat_map(|folder| rust_files(folder))
        .collect()
}

#[test]
fn no_file_is_too_long_to_read() {
    for file in all_code() {
        let lines = read(&file).lines().count();
        assert!(lines <= MAX_LINES, "{file} has {lines} lines");
    }
}

#[test]
fn every_module_opens_with_what_it_is_for() {
    for file in all_code() {
        assert!(read(&file).starts_with("//! "), "{file} does not open with //!");
    }
}

/// Asserts that nothing in a folder names any of these.
fn assert_unknown(folder: &str, words: &[&str]) {
    for file in rust_files(folder) {
        let code = without_comments(&read(&file));
        for word in words {
            assert!(!code.contains(word), "{file} names {word}");
        }
    }
}

fn without_comments(code: &str) -> String {
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The rooms that a file's code names: `crate::room`, and each that begins an item of `crate::{...}`.
fn rooms_named(file: &str) -> BTreeSet<String> {
    let code = without_comments(&without_tests(file));
    let mut rooms = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            Some(list) => rooms.extend(items(list)),
            None => rooms.extend(first_word(rest)),
        }
    }
    rooms
}

/// The first word of each item of a list, up to the brace that closes it.
fn items(list: &str) -> Vec<String> {
    let mut depth = 1;
    let mut item = String::new();
    let mut words = Vec::new();
    for letter in list.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && letter == ',') {
            words.extend(first_word(item.trim()));
            item.clear();
        } else {
            item.push(letter);
        }
        if depth == 0 {
            break;
        }
    }
    words
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    (!word.is_empty()).then_some(word)
}

#[test]
fn rooms_are_read_from_every_form_of_use() {
    let listed = "app::App, store::{Db, memory::{self, X}},\n    error::AppError,\n}; use other::{this};";
    assert_eq!(items(listed), ["app", "store", "error"]);
    assert_eq!(first_word("domain::ids"), Some("domain".to_owned()));
    assert!(rooms_named("src/app.rs").contains("tools"));
}

fn assert_knows_only(folder: &str, allowed: &[&str]) {
    for file in rust_files(folder) {
        // Whole files of tests may know how tests are set up.
        if file.contains("/tests") {
            continue;
        }
        for room in rooms_named(&file) {
            assert!(allowed.contains(&room.as_str()), "{file} names crate::{room}");
        }
    }
}

#[test]
fn the_domain_is_pure() {
    assert_unknown(
        "src/domain/",
        &["worker", "axum", "rusqlite", "crate::store", "crate::http", "SystemTime", "Instant::"],
    );
    assert_knows_only("src/domain/", &["domain"]);
}

#[test]
fn dependencies_point_inwards() {
    assert_knows_only("src/export/", &["domain", "export"]);
    assert_knows_only("src/store/", &["app", "config", "domain", "store", "telemetry"]);
    for file in rust_files("src/").iter().filter(|file| !file.starts_with("src/edge/") && *file != "src/lib.rs") {
        assert!(!rooms_named(file).contains("edge"), "{file} names the edge");
    }
}

#[test]
fn the_platform_stops_at_the_edge() {
    for file in rust_files("src/") {
        let is_adapter = file.starts_with("src/edge/") || file == "src/store/d1.rs";
        assert!(is_adapter || !without_comments(&read(&file)).contains("worker::"), "{file} names worker::");
    }
}

#[test]
fn native_tests_run_on_every_migration() {
    let stored: BTreeSet<String> = files().into_iter().filter(|file| file.starts_with("migrations/")).collect();
    let code = read("src/testing/sqlite.rs");
    let listed = string_literals(&code).filter_map(|text| text.strip_prefix("../../"));
    let listed: Vec<String> = listed.filter(|text| text.starts_with("migrations/")).map(str::to_owned).collect();
    assert_eq!(listed, stored.into_iter().collect::<Vec<_>>(), "all of them, in order");
}
