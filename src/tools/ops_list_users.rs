//! The users there are, for whoever runs it.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Context, Right, Tool};
use crate::{domain::ids::UserId, error::AppError, store::Statement};

pub static TOOL: Tool = Tool {
    name: "ops_list_users",
    alias: "ops.list_users",
    title: "Users",
    description: "The users whose histories are kept here, with the numbers that other tools take as user_id. Only the admin's \
                  credential may ask.",
    category: "ops",
    needs: Right::Admin,
    parameters: &[],
    #[cfg(test)]
    output_schema: super::description::schema::<UsersAnswer>,
    run: |context, _| Box::pin(run(context)),
};

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct UsersAnswer {
    /// In the order they came; the first thousand.
    items: Vec<UserItem>,
}

#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
struct UserItem {
    user_id: UserId,
    display_name: String,
}

async fn run(context: Context) -> Result<serde_json::Value, AppError> {
    const SELECT: &str = "SELECT id AS user_id, display_name FROM users ORDER BY id LIMIT 1000";
    let items: Vec<UserItem> = context.app.db.run(Statement::new(SELECT)).await?.all()?;
    tracing::info!(tool = context.tool, users = items.len(), "A tool answered");
    serde_json::to_value(UsersAnswer { items }).map_err(|_| AppError::Internal("an answer was not JSON"))
}
