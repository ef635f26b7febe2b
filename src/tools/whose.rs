//! Whose data a call is about, for tools that need no more of the user than that.

use crate::{
    app::App,
    domain::ids::UserId,
    error::AppError,
    store::{Statement, askers},
};

/// How many users are told of when it is not clear which one is meant.
pub const LISTED_USERS: u32 = 50;

/// Why there is nobody a question could be about.
pub fn nobody(asked: Option<UserId>, ids: &[UserId]) -> AppError {
    match (asked, ids) {
        (Some(user), _) => AppError::NotFound(format!("User {user} not found.")),
        (None, []) => AppError::NotFound("There are no users yet.".to_owned()),
        (None, ids) => {
            let listed: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let rule = format!("is required, since there is more than one user; there are: {}", listed.join(", "));
            AppError::invalid("user_id", rule)
        }
    }
}

/// The user asked about, or the only one there is.
///
/// # Errors
/// There is no such user, or there are several to choose from.
pub async fn whose(app: &App, asked: Option<UserId>) -> Result<UserId, AppError> {
    let Some(user) = asked else {
        let ids = askers::read_ids(app.db.run(askers::select_ids(LISTED_USERS)).await?)?;
        return match ids.as_slice() {
            [only] => Ok(*only),
            ids => Err(nobody(None, ids)),
        };
    };
    let found = app.db.run(Statement::new("SELECT id FROM users WHERE id = ?1").bind(user)).await?;
    askers::read_ids(found)?.pop().ok_or_else(|| nobody(asked, &[]))
}
