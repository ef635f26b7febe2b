//! Tokens that open the admin API as far as their role goes.

use serde::{Deserialize, Serialize};

use super::{
    Db, Statement, StoreError,
    issued_tokens::{NewToken, TokenTable},
};
use crate::domain::{ids::CredentialId, instant::Millis, role::Role};

pub const TABLE: TokenTable = TokenTable { name: "role_tokens", own: "role", own_values: "?5" };

/// What is known of a token with a role: everything but the token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RoleToken {
    pub id: CredentialId,
    pub label: String,
    pub role: Role,
    pub created_at: Millis,
    pub expires_at: Option<Millis>,
    /// To the hour.
    pub last_used_at: Option<Millis>,
}

/// Stores a token, with the record of who issued it.
pub async fn insert(
    db: &dyn Db,
    token: &NewToken<'_>,
    role: Role,
    now: Millis,
    record: Statement,
) -> Result<RoleToken, StoreError> {
    let statement = TABLE.insert(token, now, [role.name().into()]);
    let mut results = db.batch(vec![statement, record]).await?.into_iter();
    let stored = results.next().unwrap_or_default().first()?;
    stored.ok_or_else(|| StoreError::Shape("no row for a new token".to_owned()))
}
