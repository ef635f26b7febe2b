//! `/history/users/{user_id}/...`: the history tools for programs, with query strings for arguments.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::Uri,
};
use serde_json::Value;

use super::{auth::Caller, query::Query};
use crate::{
    app::App,
    error::AppError,
    tools::{self, Tool, parameters::Arguments},
};

/// GET `/history/users/{user_id}/{question}`.
pub async fn ask(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((user_id, question)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<Value>, AppError> {
    let tool = tool_of(&question).ok_or_else(|| AppError::NotFound("There is no such question.".to_owned()))?;
    if !user_id.parse::<i64>().is_ok_and(|id| id > 0) {
        return Err(AppError::NotFound(format!("User {} not found.", user_id.chars().take(40).collect::<String>())));
    }
    // The path says who.
    let known: Vec<&str> =
        tool.parameters.iter().map(|parameter| parameter.name).filter(|name| *name != "user_id").collect();
    let mut pairs = Query::parse(&uri, &known)?.into_pairs();
    pairs.push(("user_id".to_owned(), user_id));
    let arguments = Arguments::from_texts(tool.parameters, &pairs)?;
    Ok(Json(tool.call(app, caller, arguments).await?))
}

/// `top-artists` is `history_top_artists`, `heatmap` is `history_listening_heatmap`.
fn tool_of(question: &str) -> Option<&'static Tool> {
    match question {
        "top-artists" => tools::find("history_top_artists"),
        "top-tracks" => tools::find("history_top_tracks"),
        "top-albums" => tools::find("history_top_albums"),
        "heatmap" => tools::find("history_listening_heatmap"),
        "repeat-rate" => tools::find("history_repeat_rate"),
        "coverage" => tools::find("history_coverage"),
        "taste-summary" => tools::find("history_taste_summary"),
        _ => None,
    }
}
