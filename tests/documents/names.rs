//! Names: settings, routes, tools, rooms, tables, dependencies, commands.

use std::collections::{BTreeMap, BTreeSet};

use crate::repository::{assert_same, files, first_cells, read, root, section, string_literals, without_tests};

#[test]
fn the_settings_are_those_that_the_code_reads() {
    let is_variable = |text: &&str| {
        text.len() > 3
            && text.starts_with(|first: char| first.is_ascii_uppercase())
            && text.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_')
    };
    let code = ["src/config.rs", "src/config/import_limits.rs", "src/spotify/settings.rs"].map(without_tests).concat();
    let read_by_code: BTreeSet<String> = string_literals(&code).filter(is_variable).map(str::to_owned).collect();
    assert!(read_by_code.contains("ADMIN_AUTH_MODE"));
    assert_same("settings", &read_by_code, &first_cells(&section("README.md", "## Settings")));
}

/// `GET /admin/users`, for every line of the router's table, with the word that says who is let through.
fn routes() -> BTreeMap<String, &'static str> {
    let code = without_tests("src/http/mod.rs");
    let table = code.split("pub fn routes()").nth(1).and_then(|rest| rest.split("\n}\n").next()).unwrap();
    let mut routes = BTreeMap::new();
    let mut starts = BTreeMap::new();
    for access in ["public", "asking", "viewer", "operator", "admin"] {
        starts.extend(table.match_indices(&format!(" {access}(")).map(|(at, _)| (at, access)));
    }
    let ends = starts.keys().skip(1).copied().chain([table.len()]);
    for ((start, access), end) in starts.iter().zip(ends) {
        let (path, handlers) = table[*start..end].split_once('"').unwrap().1.split_once('"').unwrap();
        let before = routes.len();
        for method in ["get", "post", "put", "patch", "delete"] {
            if [' ', '.'].iter().any(|first| handlers.contains(&format!("{first}{method}("))) {
                routes.insert(format!("{} {path}", method.to_ascii_uppercase()), *access);
            }
        }
        assert!(routes.len() > before, "the methods of {path} can not be read");
    }
    routes
}

#[test]
fn the_routes_are_those_of_the_router() {
    let routes = routes();
    assert!(routes.contains_key("POST /admin/users") && routes.contains_key("GET /healthz"), "{routes:?}");
    assert_same("routes", &routes.into_keys().collect(), &first_cells(&section("README.md", "## Routes")));
}

#[test]
fn the_table_of_routes_says_who_is_let_through() {
    let table = section("README.md", "## Routes");
    for (route, access) in routes() {
        let line = table.lines().find_map(|line| line.strip_prefix(&format!("| `{route}` | "))).unwrap();
        let told = line.split(" | ").next().unwrap();
        match access {
            "public" => assert!(!["viewer", "operator", "admin"].contains(&told), "{route}: {told}"),
            "asking" => assert_eq!(told, "viewer, token", "{route}"),
            role => assert_eq!(told, role, "{route}"),
        }
    }
}

#[test]
fn the_tools_are_those_of_the_catalogue() {
    let golden: serde_json::Value =
        serde_json::from_str(&read("src/tools/catalogue.golden.json")).expect("the catalogue is JSON");
    let listed = golden.as_array().unwrap().iter().filter_map(|tool| tool["name"].as_str()).map(str::to_owned);
    assert_same("tools", &listed.collect(), &first_cells(&section("README.md", "## Ask")));
}

#[test]
fn the_reasons_for_unused_rows_are_told() {
    let code = without_tests("src/export/rows.rs");
    // A reason is written `NoTrack = "no_track",`; other strings of the file are not reasons.
    let is_reason = |line: &&str| line.trim_start().starts_with(char::is_uppercase) && line.contains(" = \"");
    let code: String = code.lines().filter(is_reason).collect::<Vec<_>>().join("\n");
    assert!(code.contains("no_track"), "{code}");
    let told = section("README.md", "### Watch it");
    for reason in string_literals(&code).filter(|text| !text.is_empty() && !text.contains(['{', ' '])) {
        assert!(told.contains(&format!("`{reason}`")), "README.md does not name the reason {reason}");
    }
}

#[test]
fn every_room_is_on_the_map() {
    let rooms: BTreeSet<String> = files()
        .iter()
        .filter_map(|file| file.strip_prefix("src/"))
        .map(|file| match file.split_once('/') {
            Some((folder, _)) => format!("src/{folder}/"),
            None => format!("src/{file}"),
        })
        .collect();
    assert_same("rooms", &rooms, &first_cells(&section("ARCHITECTURE.md", "## The map")));
}

#[test]
fn every_table_is_described() {
    let mut tables = BTreeSet::new();
    for migration in files().iter().filter(|file| file.starts_with("migrations/")) {
        let sql = read(migration);
        let created = sql.split("CREATE TABLE ").skip(1).filter_map(|rest| rest.split([' ', '(']).next());
        tables.extend(created.map(str::to_owned));
    }
    assert_same("tables", &tables, &first_cells(&section("ARCHITECTURE.md", "## Tables")));
}

/// The names in the sections of `Cargo.toml` that end up in the Worker.
fn shipped_crates() -> BTreeSet<String> {
    let mut is_shipped = false;
    let mut crates = BTreeSet::new();
    for line in read("Cargo.toml").lines() {
        if line.starts_with('[') {
            is_shipped = line.ends_with("dependencies]") && !line.contains("dev-") && !line.contains("workspace");
        } else if let Some(name) = line.split(['.', ' ', '=']).next().filter(|name| is_shipped && !name.is_empty()) {
            crates.insert(name.to_owned());
        }
    }
    crates
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let package: serde_json::Value = serde_json::from_str(&read("package.json")).expect("package.json is JSON");
    let mut dependencies = shipped_crates();
    assert!(dependencies.contains("axum") && dependencies.contains("worker"));
    for kind in ["dependencies", "devDependencies"] {
        let named = package[kind].as_object().into_iter().flatten().map(|(name, _)| name.clone());
        dependencies.extend(named);
    }
    let explained = first_cells(&section("ARCHITECTURE.md", "## Why each dependency is there"));
    assert_same("dependencies", &dependencies, &explained);
}

/// What `make help` lists.
fn listed_targets() -> BTreeSet<String> {
    let makefile = read("Makefile");
    let lines = makefile.lines().filter_map(|line| line.strip_prefix("## make ")?.split(' ').next());
    lines.map(str::to_owned).collect()
}

fn targets() -> BTreeSet<String> {
    let makefile = read("Makefile");
    let rules = makefile.lines().filter(|line| !line.starts_with(['\t', '#', '.', '@', ' ']));
    let names = rules.filter_map(|line| line.split_once(':').filter(|(_, rest)| !rest.starts_with('=')));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}

#[test]
fn make_has_every_target_that_is_named() {
    let (targets, listed) = (targets(), listed_targets());
    assert!(listed.contains("dev") && listed.contains("test"), "{listed:?}");
    assert!(listed.is_subset(&targets), "`make help` lists what is not there: {:?}", listed.difference(&targets));
    for file in files() {
        let is_text = [".md", ".rs", ".toml", ".sql", "Makefile", ".ci/run"].iter().any(|end| file.ends_with(end));
        if !is_text || file == "tests/documents/names.rs" {
            continue;
        }
        let text = read(&file);
        // In code marks anywhere, or as a line of its own in a block.
        let marked = text.split("`make ").skip(1);
        let lines = text.lines().filter_map(|line| line.strip_prefix("make "));
        for named in marked.chain(lines) {
            let target = named.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').next().unwrap();
            assert!(targets.contains(target), "{file} names `make {target}`");
        }
    }
}

#[test]
fn every_script_that_the_documents_name_is_there() {
    for document in crate::repository::files_ending(".md") {
        for name in read(&document).split('`').skip(1).step_by(2) {
            let is_path =
                ["src/", "tests/", "migrations/", "workbench/", "docs/"].iter().any(|at| name.starts_with(at));
            if is_path && !name.contains(['N', ' ', '*']) {
                assert!(root().join(name).exists(), "{document} names {name}");
            }
        }
    }
}
