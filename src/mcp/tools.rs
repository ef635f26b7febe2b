//! `tools/list` and `tools/call`.
//!
//! Must stay true: what is listed is what this credential may call, in the order of the registry; a result's text says what
//! its data does, and both together stay below 100,000 characters; arguments that are wrong and questions without an answer
//! are results that say what to do instead. The one thing that a model cannot act on is a scope that its user did not give to an
//! OAuth client: the client is told, and asks the user.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Asking,
    reply::{Freshness, Reply, RpcError, read, refuse_cursor},
};
use crate::{
    error::AppError,
    http::tools::object_in,
    tools::{self, Tool, catalogue, parameters::Arguments},
};

/// `tools/list`.
pub fn list(asking: &Asking, params: &Map<String, Value>) -> Result<Reply, RpcError> {
    refuse_cursor(params)?;
    let callable = |listed: &&Value| {
        let tool = listed["name"].as_str().and_then(tools::find);
        tool.is_some_and(|tool| asking.caller.has(tool.needs))
    };
    let listed: Vec<&Value> = listed_tools().iter().filter(callable).collect();
    Ok(Reply::of(json!({ "tools": listed })).kept(Freshness::Own))
}

/// The catalogue in the protocol's words, made once for each isolate.
fn listed_tools() -> &'static [Value] {
    static LISTED: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let tools = catalogue::value().as_array().map(Vec::as_slice).unwrap_or_default();
        tools.iter().map(listed).collect()
    });
    &LISTED
}

fn listed(tool: &Value) -> Value {
    json!({
        "name": tool["name"],
        "title": tool["title"],
        "description": tool["description"],
        "inputSchema": tool["input_schema"],
        "outputSchema": tool["output_schema"],
        "annotations": {
            "readOnlyHint": true,
            "destructiveHint": false,
            "idempotentHint": true,
            "openWorldHint": tool["category"] == "spotify",
        },
    })
}

#[derive(Deserialize)]
struct Call {
    name: String,
    #[serde(default)]
    arguments: Value,
}

/// `tools/call`.
pub async fn call(asking: &Asking, params: Map<String, Value>) -> Result<Reply, RpcError> {
    let Call { name, arguments } = read(params)?;
    let tool = tools::find(&name).ok_or_else(|| RpcError::invalid_params(tools::no_such_tool()))?;
    if let Some(wanted) = asking.caller.would_need(tool.needs) {
        return Err(RpcError::insufficient_scope(wanted));
    }
    let arguments =
        object_in(Some(arguments)).ok_or_else(|| RpcError::invalid_params("arguments must be an object"))?;
    match run(asking, tool, &arguments).await {
        Ok(result) => {
            let (data, text) = tools::bounded_twofold(result);
            let content = json!([{ "type": "text", "text": text }]);
            Ok(Reply::of(json!({ "content": content, "structuredContent": data, "isError": false })))
        }
        Err(error) => Ok(failed(tool, &error)),
    }
}

async fn run(asking: &Asking, tool: &'static Tool, arguments: &Map<String, Value>) -> Result<Value, AppError> {
    let arguments = Arguments::from_object(tool.parameters, arguments)?;
    tool.call(asking.app.clone(), asking.caller, arguments).await
}

/// Why a tool has no answer, in words that a model can act on.
fn failed(tool: &Tool, error: &AppError) -> Reply {
    if error.status().is_server_error() {
        tracing::error!(tool = tool.name, %error, "A tool failed");
    }
    let text = match error {
        AppError::Invalid(_) => {
            format!("{} was not called, since its arguments are wrong. {}", tool.name, error.detail())
        }
        _ => error.detail(),
    };
    Reply::of(json!({ "content": [{ "type": "text", "text": text }], "isError": true }))
}
