//! `GET /openapi.json`: the tools as operations for a GPT's Actions and for any generated client.
//!
//! Must stay true: it is a rendering of the catalogue and holds nothing of its own about a tool; one operation a tool, with
//! flat typed parameters, within the limits of Actions: 30 operations, 300 characters of description, 700 for a
//! parameter; what only reads says so, or every call would ask for confirmation.
//! <https://platform.openai.com/docs/actions/production>

use axum::{
    Json,
    http::{HeaderMap, Uri},
};
use serde_json::{Map, Value, json};

use super::origin;
use crate::{app::App, tools};

/// GET /openapi.json.
pub async fn openapi(app: App, headers: HeaderMap, uri: Uri) -> Json<Value> {
    Json(document(tools::catalogue::value(), &origin::of_request(&app, &headers, &uri)))
}

/// The document for a Worker at `server`.
fn document(catalogue: &Value, server: &str) -> Value {
    let tools = catalogue.as_array().map(Vec::as_slice).unwrap_or_default();
    let paths: Map<String, Value> = tools.iter().map(|tool| (path(tool), json!({ "post": operation(tool) }))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Listenlog",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Questions about a whole Spotify listening history, counted from stored plays.",
        },
        "servers": [{ "url": server }],
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An assistant token of one user.",
                },
            },
            "schemas": { "Problem": problem_schema() },
        },
    })
}

fn path(tool: &Value) -> String {
    format!("/tools/{}", tool["name"].as_str().unwrap_or_default())
}

fn operation(tool: &Value) -> Value {
    let problem = json!({
        "description": "Why there is no result: `detail` says it in a sentence, `errors` for each argument.",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    json!({
        "operationId": tool["name"],
        "summary": tool["title"],
        "description": tool["description"],
        "tags": [tool["category"]],
        "x-openai-isConsequential": false,
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": tool["input_schema"] } },
        },
        "responses": {
            "200": {
                "description": "The result.",
                "content": { "application/json": { "schema": tool["output_schema"] } },
            },
            "default": problem,
        },
    })
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "What is wrong, and what is allowed." },
            "request_id": { "type": "string" },
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": { "field": { "type": "string" }, "detail": { "type": "string" } },
                    "required": ["field", "detail"],
                },
            },
        },
        "required": ["title", "status", "detail"],
    })
}

#[cfg(test)]
mod tests;
