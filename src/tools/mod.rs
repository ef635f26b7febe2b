//! The assistant's tools: every one of them on this page, each in its own file.
//!
//! Must stay true: a [`Tool`] is the only description of a tool; what is listed, what is checked and what is answered
//! follow from it. A golden file holds what is listed. Aliases are accepted wherever a tool is called, and listed nowhere.

mod bounds;
mod figures;
mod history;
mod history_coverage;
mod history_listening_heatmap;
mod history_repeat_rate;
mod history_taste_summary;
mod history_top_albums;
mod history_top_artists;
mod history_top_tracks;
pub mod kept;
pub mod parameters;
mod question;
mod rankings;
#[cfg(test)]
mod tests;

use futures_util::future::BoxFuture;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use self::parameters::{Arguments, Parameter, input_schema};
use crate::{app::App, error::AppError, http::auth::Caller};

/// Every tool, by name.
static TOOLS: [&Tool; 7] = [
    &history_coverage::TOOL,
    &history_listening_heatmap::TOOL,
    &history_repeat_rate::TOOL,
    &history_taste_summary::TOOL,
    &history_top_albums::TOOL,
    &history_top_artists::TOOL,
    &history_top_tracks::TOOL,
];

/// What an assistant can call.
pub struct Tool {
    /// `^[a-z][a-z0-9_]{0,31}$`: dots make whole connectors vanish.
    pub name: &'static str,
    /// The name before this program was rewritten.
    pub alias: &'static str,
    /// For people.
    pub title: &'static str,
    /// For a model, at most 300 characters: what it answers and when to use it.
    pub description: &'static str,
    pub category: &'static str,
    pub parameters: &'static [&'static Parameter],
    pub output_schema: fn() -> Value,
    pub run: fn(Context, Arguments) -> BoxFuture<'static, Result<Value, AppError>>,
}

/// Who calls, and what a tool may use.
#[derive(Clone)]
pub struct Context {
    pub app: App,
    pub caller: Caller,
    /// The tool's name, for its log row.
    pub tool: &'static str,
}

impl Tool {
    /// Runs it. Arguments come from [`Arguments::from_object`] or [`Arguments::from_texts`] of its parameters.
    pub async fn call(&self, app: App, caller: Caller, arguments: Arguments) -> Result<Value, AppError> {
        (self.run)(Context { app, caller, tool: self.name }, arguments).await.map(bounds::bounded)
    }

    fn listed(&self) -> Value {
        let parameters: Vec<Value> = self.parameters.iter().map(|parameter| parameter.listed()).collect();
        json!({
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "category": self.category,
            "parameters": parameters,
            "input_schema": input_schema(self.parameters),
            "output_schema": (self.output_schema)(),
        })
    }
}

/// The tool of this name or alias.
pub fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().copied().find(|tool| tool.name == name || tool.alias == name)
}

/// The names that can be called.
pub fn names() -> Vec<&'static str> {
    TOOLS.iter().map(|tool| tool.name).collect()
}

/// All tools as `GET /mcp/tools` lists them, sorted by name.
pub fn catalogue() -> Value {
    TOOLS.iter().map(|tool| tool.listed()).collect()
}

/// The JSON schema of what a tool answers, in one piece.
fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<T>().to_value()
}
