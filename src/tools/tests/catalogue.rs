//! What is listed, held by a golden file. `UPDATE_GOLDEN=1 cargo test --lib golden` writes it anew.

use serde_json::Value;

use super::super::{TOOLS, catalogue, description};
use crate::testing::TestApp;

#[test]
fn the_catalogue_is_the_golden_one() {
    let rendered = description::catalogue();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tools/catalogue.golden.json");
        std::fs::write(path, format!("{}\n", serde_json::to_string_pretty(&rendered).unwrap())).unwrap();
        return;
    }
    let golden: Value = serde_json::from_str(catalogue::TEXT).unwrap();
    assert_eq!(rendered, golden, "UPDATE_GOLDEN=1 writes the golden file anew");
}

#[test]
fn everyone_sees_the_catalogue() {
    let listed = TestApp::new().get("/mcp/tools");
    assert_eq!(listed.headers["content-type"], "application/json");
    assert_eq!(listed.json(), serde_json::from_str::<Value>(catalogue::TEXT).unwrap());
}

#[test]
fn names_and_texts_are_what_assistants_take() {
    let names: Vec<&str> = TOOLS.iter().map(|tool| tool.name).collect();
    assert!(names.is_sorted());
    assert!(
        (11..=25).contains(&names.len()),
        "fewer than the program before had, or more than an assistant keeps apart"
    );
    for tool in TOOLS {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(tool.name.len() <= 32 && tool.name.bytes().all(plain) && tool.name.starts_with(char::is_lowercase));
        assert!((20..=300).contains(&tool.description.chars().count()), "{}", tool.name);
        for parameter in tool.parameters {
            assert!((10..=700).contains(&parameter.description.chars().count()), "{}", parameter.name);
        }
        let schema = (tool.output_schema)();
        let common: &[&str] = if tool.category == "history" { &["window", "counted", "coverage_note"] } else { &[] };
        for common in common {
            assert!(schema["properties"].get(*common).is_some(), "{}: {common}", tool.name);
        }
        let text = schema.to_string();
        assert!(!text.contains("$ref") && !text.contains("\"type\":["), "{}", tool.name);
    }
}
