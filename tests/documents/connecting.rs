//! The documents on connecting assistants: tools, routes and arguments they name are there.

use std::collections::BTreeSet;

use crate::repository::{files_ending, first_cells, read, section};

/// The documents in `docs/`.
fn guides() -> Vec<String> {
    let guides: Vec<String> = files_ending(".md").into_iter().filter(|file| file.starts_with("docs/")).collect();
    assert!(["assistants", "gpt-action"].iter().all(|name| guides.contains(&format!("docs/{name}.md"))), "{guides:?}");
    guides
}

fn catalogue() -> serde_json::Value {
    serde_json::from_str(&read("src/tools/catalogue.golden.json")).unwrap()
}

/// Words of a text that begin so, up to what is no letter of a name.
fn words<'a>(text: &'a str, begins: &'a str) -> impl Iterator<Item = &'a str> {
    let is_name = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    text.match_indices(begins).map(move |(at, _)| {
        let rest = &text[at..];
        &rest[..rest.find(|letter: char| !is_name(letter)).unwrap_or(rest.len())]
    })
}

#[test]
fn guides_name_tools_that_are_there() {
    let catalogue = catalogue();
    let tools: BTreeSet<&str> =
        catalogue.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    for guide in guides() {
        let text = read(&guide);
        for prefix in ["history_", "spotify_", "ops_"] {
            for named in words(&text, prefix) {
                assert!(tools.contains(named), "{guide} names the tool {named}");
            }
        }
    }
}

#[test]
fn the_instructions_of_a_gpt_name_every_question_about_history() {
    let instructions = section("docs/gpt-action.md", "## 3. The instructions");
    let catalogue = catalogue();
    let history = catalogue.as_array().unwrap().iter().filter(|tool| tool["category"] == "history");
    for tool in history {
        let name = tool["name"].as_str().unwrap();
        assert!(instructions.contains(name), "the instructions leave out {name}");
    }
    // ChatGPT takes 8,000 characters.
    assert!(instructions.chars().count() < 8_000);
}

#[test]
fn guides_name_routes_that_are_there() {
    let routes = first_cells(&section("README.md", "## Routes"));
    let paths: BTreeSet<String> =
        routes.iter().filter_map(|route| route.split_once(' ')).map(|(_, path)| path.to_owned()).collect();
    // A path as it is written out: a number stands for an id.
    let fits = |written: &str, path: &str| {
        let (written, path): (Vec<&str>, Vec<&str>) = (written.split('/').collect(), path.split('/').collect());
        written.len() == path.len()
            && written.iter().zip(&path).all(|(written, known)| written == known || known.starts_with('{'))
    };
    for guide in guides() {
        let text = read(&guide);
        // An address ends a host name: what follows it is a path, or nothing.
        let addresses = text.split("https://listenlog.example").skip(1);
        let marked = text.split('`').skip(1).step_by(2).filter_map(|code| {
            let (method, path) = code.split_once(' ')?;
            ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method).then_some(path)
        });
        for written in addresses.chain(marked) {
            let path = written.split(|letter: char| " `\"'?\n|,)".contains(letter)).next().unwrap_or_default();
            let is_there = path.is_empty() || paths.iter().any(|known| fits(path, known));
            assert!(is_there, "{guide} names the path {path}");
        }
    }
}

#[test]
fn guides_name_scopes_that_are_there() {
    let code = read("src/domain/credential.rs");
    for guide in guides() {
        for list in
            read(&guide).split("\"scopes\": [").skip(1).filter_map(|rest| rest.split(']').next().map(str::to_owned))
        {
            for scope in list.split('"').skip(1).step_by(2) {
                assert!(code.contains(&format!("=> \"{scope}\"")), "{guide} names the scope {scope}");
            }
        }
    }
}
