//! The repository's files, and simple ways to read them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file's text; what is not UTF-8 is replaced.
pub fn read(path: &str) -> String {
    let bytes = fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every file that git would track, relative to the root, in order.
pub fn files() -> Vec<String> {
    let ignored: BTreeSet<String> =
        read(".gitignore").lines().map(|line| line.trim_matches('/').to_owned()).chain([".git".to_owned()]).collect();
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = relative(&path);
            if ignored.contains(&name) {
                continue;
            }
            if path.is_dir() { folders.push(path) } else { found.push(name) }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/")
}

/// Files whose name ends so.
pub fn files_ending(end: &str) -> Vec<String> {
    files().into_iter().filter(|file| file.ends_with(end)).collect()
}

/// The Rust files of a folder.
pub fn rust_files(folder: &str) -> Vec<String> {
    files_ending(".rs").into_iter().filter(|file| file.starts_with(folder)).collect()
}

/// A file's code without its tests: tests beside the code come last.
pub fn without_tests(path: &str) -> String {
    let text = read(path);
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned()
}

/// The part of a document below the heading, to the next heading of any level.
pub fn section(document: &str, heading: &str) -> String {
    let text = read(document);
    let mut is_code = false;
    let lines = text.lines().skip_while(|line| *line != heading).skip(1);
    let lines = lines.take_while(|line| {
        is_code ^= line.starts_with("```");
        is_code || !line.starts_with('#')
    });
    let lines: Vec<&str> = lines.collect();
    assert!(!lines.is_empty(), "{document} has no section {heading}");
    lines.join("\n")
}

/// What stands in code marks at the beginning of a table's rows.
pub fn first_cells(table: &str) -> BTreeSet<String> {
    let cells = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    cells.map(str::to_owned).collect()
}

/// The strings of a Rust text.
pub fn string_literals(code: &str) -> impl Iterator<Item = &str> {
    code.split('"').skip(1).step_by(2)
}

/// Fails with what only one of the two has.
pub fn assert_same(what: &str, in_code: &BTreeSet<String>, in_documents: &BTreeSet<String>) {
    let missing: Vec<_> = in_code.difference(in_documents).collect();
    let invented: Vec<_> = in_documents.difference(in_code).collect();
    assert!(
        missing.is_empty() && invented.is_empty(),
        "{what}: the documents leave out {missing:?} and invent {invented:?}"
    );
}
