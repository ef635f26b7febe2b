//! Tokens of assistants: each opens one user's history.

use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Db, Statement, StoreError, assert_that,
    issued_tokens::{NewToken, TokenTable},
};
use crate::domain::{
    credential::{Credential, CredentialKind, Scopes},
    ids::{CredentialId, UserId},
    instant::Millis,
};

pub const TABLE: TokenTable = TokenTable { name: "assistant_tokens", own: "user_id, scopes", own_values: "?5, ?6" };

/// What is known of a token: everything but the token.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AssistantToken {
    pub id: CredentialId,
    pub label: String,
    #[serde(deserialize_with = "known_scopes")]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub scopes: Scopes,
    pub created_at: Millis,
    pub expires_at: Option<Millis>,
    /// To the hour.
    pub last_used_at: Option<Millis>,
    #[serde(skip_serializing)]
    pub user_id: UserId,
}

/// A scope of another version of this program opens nothing.
fn known_scopes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scopes, D::Error> {
    String::deserialize(deserializer).map(|text| Scopes::parse(&text).unwrap_or_default())
}

impl AssistantToken {
    pub const fn credential(&self) -> Credential {
        Credential { id: self.id, kind: CredentialKind::AssistantToken, user_id: self.user_id, scopes: self.scopes }
    }
}

/// Stores a token, with the record of who issued it.
pub async fn insert(
    db: &dyn Db,
    token: &NewToken<'_>,
    (user_id, scopes): (UserId, Scopes),
    now: Millis,
    record: Statement,
) -> Result<AssistantToken, StoreError> {
    let statement = TABLE.insert(token, now, [user_id.into(), scopes.to_text().into()]);
    // A user that was deleted meanwhile gets no token.
    let there_is_a_user = assert_that("EXISTS (SELECT 1 FROM users WHERE id = ?1)").bind(user_id);
    let mut results = db.batch(vec![there_is_a_user, statement, record]).await?.into_iter();
    let stored = results.nth(1).unwrap_or_default().first()?;
    stored.ok_or_else(|| StoreError::Shape("no row for a new token".to_owned()))
}
