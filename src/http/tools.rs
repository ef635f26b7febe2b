//! Calling tools over plain HTTP.
//!
//! Must stay true: what a tool itself decides is an answer with `success`, which a model can act on; a call that was not
//! understood is a problem document that carries the same members; what failed inside says one fixed sentence.

use axum::{
    Extension, Json,
    body::Body,
    extract::Path,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{auth::Caller, body};
use crate::{
    app::App,
    error::{AppError, FieldError, Problem},
    tools::{self, Tool, parameters::Arguments},
};

/// GET /mcp/tools: the catalogue.
pub async fn catalogue() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], tools::catalogue::TEXT)
}

/// POST /tools/{name}: the arguments in, the result alone out. Some models wrap the arguments once more, as for a call.
pub async fn call_by_name(
    app: App,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, AppError> {
    let tool = tools::find(&name).ok_or_else(|| AppError::NotFound(tools::no_such_tool()))?;
    let Value::Object(object) = body::json(&headers, body).await? else {
        return Err(AppError::invalid("body", "must be a JSON object: the arguments"));
    };
    let arguments = Arguments::from_object(tool.parameters, &arguments_of(object)?)?;
    Ok(Json(tool.call(app, caller, arguments).await?))
}

/// The answer to a call.
#[derive(Serialize)]
struct Called {
    tool: &'static str,
    success: bool,
    result: Option<Value>,
    error: Option<String>,
}

/// POST /mcp/call: `{tool, arguments}`, `{tool, args}`, or the arguments beside `tool`.
pub async fn call(app: App, Extension(caller): Extension<Caller>, headers: HeaderMap, body: Body) -> Response {
    let mut asked_for = Value::Null;
    let outcome = match understand(&headers, body, &mut asked_for).await {
        Ok((tool, arguments)) => match tool.call(app, caller, arguments).await {
            Ok(result) => Ok(Called { tool: tool.name, success: true, result: Some(result), error: None }),
            Err(error) if error.is_of_the_tool() => {
                Ok(Called { tool: tool.name, success: false, result: None, error: Some(error.detail()) })
            }
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    match outcome {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => refused(error, asked_for),
    }
}

/// A problem that also carries what an answer to a call has.
fn refused(error: AppError, asked_for: Value) -> Response {
    let sentence = error.detail();
    let mut response = error.into_response();
    if let Some(problem) = response.extensions_mut().get_mut::<Problem>() {
        problem.more = Map::from_iter([
            ("tool".to_owned(), asked_for),
            ("success".to_owned(), Value::Bool(false)),
            ("result".to_owned(), Value::Null),
            ("error".to_owned(), Value::String(sentence)),
        ]);
    }
    response
}

/// The tool and the arguments of a call; `asked_for` becomes the tool's name as soon as it is known.
async fn understand(
    headers: &HeaderMap,
    body: Body,
    asked_for: &mut Value,
) -> Result<(&'static Tool, Arguments), AppError> {
    let Value::Object(mut envelope) = body::json(headers, body).await? else {
        return Err(AppError::invalid("body", "must be a JSON object with `tool` and `arguments`"));
    };
    let Some(Value::String(name)) = envelope.remove("tool") else {
        return Err(AppError::invalid("tool", "is required and must be the name of a tool"));
    };
    let tool = tools::find(&name).ok_or_else(|| AppError::invalid("tool", tools::no_such_tool()))?;
    *asked_for = Value::from(tool.name);
    let mut object = arguments_of(envelope)?;
    rename_as_of_old(&mut object);
    Ok((tool, Arguments::from_object(tool.parameters, &object)?))
}

/// Set-ups made for the program before this one say `search_type`: beside `tool`, `type` was ambiguous.
fn rename_as_of_old(arguments: &mut Map<String, Value>) {
    if !arguments.contains_key("type")
        && let Some(of_old) = arguments.remove("search_type")
    {
        arguments.insert("type".to_owned(), of_old);
    }
}

/// `arguments`, else `args`, else what is left of the envelope. An empty one of the first two counts as absent.
fn arguments_of(mut envelope: Map<String, Value>) -> Result<Map<String, Value>, AppError> {
    let mut errors = Vec::new();
    for name in ["arguments", "args"] {
        match object_in(envelope.remove(name)) {
            Some(object) if !object.is_empty() => return Ok(object),
            Some(_) => {}
            None => errors.push(FieldError::new(name, "must be a JSON object")),
        }
    }
    if errors.is_empty() { Ok(envelope) } else { Err(AppError::Invalid(errors)) }
}

/// An object, also one written into a string, as some models send it. `None`: it is something else.
pub fn object_in(value: Option<Value>) -> Option<Map<String, Value>> {
    match value {
        None | Some(Value::Null) => Some(Map::new()),
        Some(Value::Object(object)) => Some(object),
        Some(Value::String(text)) if text.trim().is_empty() => Some(Map::new()),
        Some(Value::String(text)) => serde_json::from_str(&text).ok(),
        Some(_) => None,
    }
}
