//! The assistant's tools: every one of them on this page, each in its own file.
//!
//! Must stay true: a [`Tool`] is the only description of a tool; what is listed, what is checked and what is answered
//! follow from it. A golden file holds what is listed. Aliases are accepted wherever a tool is called, and listed nowhere.

mod bounds;
pub mod catalogue;
#[cfg(test)]
pub mod description;
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
mod ops_latest_import_jobs;
mod ops_latest_job_runs;
mod ops_list_users;
mod ops_sync_status;
pub mod parameters;
mod question;
mod rankings;
mod spotify_get_top;
mod spotify_search;
#[cfg(test)]
mod tests;
mod whose;

use futures_util::future::BoxFuture;
use serde_json::Value;

use self::parameters::{Arguments, Parameter};
pub use self::{bounds::bounded_twofold, history::artists_played};
use crate::{
    app::App,
    domain::{credential::Scope, ids::UserId},
    error::AppError,
    http::auth::Caller,
};

/// Every tool, by name.
static TOOLS: [&Tool; 13] = [
    &history_coverage::TOOL,
    &history_listening_heatmap::TOOL,
    &history_repeat_rate::TOOL,
    &history_taste_summary::TOOL,
    &history_top_albums::TOOL,
    &history_top_artists::TOOL,
    &history_top_tracks::TOOL,
    &ops_latest_import_jobs::TOOL,
    &ops_latest_job_runs::TOOL,
    &ops_list_users::TOOL,
    &ops_sync_status::TOOL,
    &spotify_get_top::TOOL,
    &spotify_search::TOOL,
];

/// What an assistant can call.
#[cfg_attr(not(test), expect(dead_code, reason = "texts are listed from the golden file that is rendered from them"))]
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
    /// Who may call it.
    pub needs: Right,
    pub parameters: &'static [&'static Parameter],
    /// For what is listed, which is rendered natively and kept in a golden file.
    #[cfg(test)]
    pub output_schema: fn() -> Value,
    pub run: fn(Context, Arguments) -> BoxFuture<'static, Result<Value, AppError>>,
}

/// What a caller needs to call a tool. The admin may call every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// A credential with this scope; its answer is about that credential's user alone.
    Scope(Scope),
    /// The admin's own credential.
    Admin,
}

impl Right {
    pub const READ: Self = Self::Scope(Scope::Read);
    pub const OPS: Self = Self::Scope(Scope::Ops);
}

/// Whose data a call is about, and what a tool may use.
#[derive(Clone)]
pub struct Context {
    pub app: App,
    /// Whose data it is about, already checked against the caller's right; `None`: the only user there is.
    pub user: Option<UserId>,
    /// The tool's name, for its log row.
    pub tool: &'static str,
}

impl Tool {
    /// Runs it. Arguments come from [`Arguments::from_object`] or [`Arguments::from_texts`] of its parameters.
    ///
    /// # Errors
    /// Beside the tool's own: the caller lacks the right, or asks about somebody else's data.
    pub async fn call(&self, app: App, caller: Caller, arguments: Arguments) -> Result<Value, AppError> {
        caller.check(self.needs)?;
        let user = caller.whose(arguments.integer("user_id").map(UserId))?;
        (self.run)(Context { app, user, tool: self.name }, arguments).await.map(bounds::bounded)
    }
}

/// The answer of a tool about one user, and its log row. What was asked is not in it.
fn answered(context: &Context, user: UserId, answer: &impl serde::Serialize) -> Result<Value, AppError> {
    tracing::info!(user_id = user.0, tool = context.tool, "A tool answered");
    serde_json::to_value(answer).map_err(|_| AppError::Internal("an answer was not JSON"))
}

/// The tool of this name or alias.
pub fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().copied().find(|tool| tool.name == name || tool.alias == name)
}

/// What is said of a name that no tool has.
pub fn no_such_tool() -> String {
    format!("There is no such tool; known are: {}.", names().join(", "))
}

/// The names that can be called.
pub fn names() -> Vec<&'static str> {
    TOOLS.iter().map(|tool| tool.name).collect()
}
