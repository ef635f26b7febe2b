//! The document is that of the code: every route, every parameter, every type.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::Value;

use super::{document::render, operations::operations};
use crate::{
    http::{Access, tests::every_operation},
    testing::TestApp,
};

fn rendered() -> String {
    let mut text = serde_json::to_string(&render(&operations())).unwrap();
    text.push('\n');
    text
}

/// `cargo test --lib openapi` with `UPDATE_GOLDEN=1` writes it anew.
#[test]
fn the_openapi_document_is_what_the_types_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/openapi/admin.golden.json");
    let rendered = rendered();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &rendered).unwrap();
    }
    let stored = std::fs::read_to_string(path).unwrap();
    assert!(stored == rendered, "the document is stale: UPDATE_GOLDEN=1 cargo test --lib openapi");
}

#[test]
fn every_admin_route_is_in_the_openapi_document_and_no_other() {
    let of_admin = every_operation().into_iter().filter(|(_, access)| matches!(access, Access::Admin(_)));
    let routed: BTreeSet<String> = of_admin.map(|((path, method), _)| format!("{method} {path}")).collect();
    let described: BTreeSet<String> = operations()
        .iter()
        .map(|operation| format!("{} {}", operation.method.to_ascii_uppercase(), operation.path))
        .collect();
    assert_eq!(routed, described, "src/http/openapi/operations.rs describes every route");
}

/// A handler that takes a query names what it knows when it is asked for something else.
#[test]
fn the_openapi_document_has_the_parameters_that_are_understood() {
    let app = TestApp::new();
    app.post("/admin/users", &serde_json::json!({"display_name": "Ada"}));
    for operation in operations().iter().filter(|operation| !operation.parameters.is_empty()) {
        let concrete: Vec<&str> =
            operation.path.split('/').map(|part| if part.starts_with('{') { "1" } else { part }).collect();
        let method: Method = operation.method.to_ascii_uppercase().parse().unwrap();
        let refused = app.admin(method.as_str(), &format!("{}?nonsense=1", concrete.join("/")), "");
        assert_eq!(refused.status, 422, "{method} {}", operation.path);
        let known = refused.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
        let known = known.rsplit("known are: ").next().unwrap();
        let described: Vec<&str> = operation.parameters.iter().map(|parameter| parameter.name).collect();
        assert_eq!(known, described.join(", "), "{method} {}", operation.path);
    }
}

#[test]
fn every_reference_in_the_openapi_document_leads_somewhere() {
    let document: Value = serde_json::from_str(&rendered()).unwrap();
    let text = document.to_string();
    let references = text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
    for name in references {
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
    let ids: Vec<&str> = text.split("\"operationId\":\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "ids of operations are unique");
}

#[test]
fn the_openapi_document_is_served() {
    let app = TestApp::new();
    let served = app.get("/admin/openapi.json");
    assert_eq!((served.status.as_u16(), &served.json()["openapi"]), (200, &"3.1.0".into()));
}
