//! Who changed what: one row for each change made through the admin API.
//!
//! Must stay true: the row is written in the batch of the change, so there is neither a change without its row nor a row without
//! its change; no secret and no token is ever in `before` or `after`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Db, Statement, StoreError,
    walk::{HasId, Listed, Part, Walked, walk},
};
use crate::domain::{
    ids::{CredentialId, UserId},
    instant::Millis,
    role::Role,
};

/// What a request was let in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// `ADMIN_AUTH_MODE=token`.
    AdminToken,
    /// `ADMIN_AUTH_MODE=basic`.
    AdminPassword,
    /// `ADMIN_AUTH_MODE=disabled`, on the local machine.
    OpenDoor,
    /// A token issued to an assistant.
    AssistantToken,
    /// What an assistant was granted through OAuth.
    OauthGrant,
    /// A token with a role.
    RoleToken,
}

impl Credential {
    pub const NAMES: [&str; 6] =
        ["admin_token", "admin_password", "open_door", "assistant_token", "oauth_grant", "role_token"];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AdminToken => "admin_token",
            Self::AdminPassword => "admin_password",
            Self::OpenDoor => "open_door",
            Self::AssistantToken => "assistant_token",
            Self::OauthGrant => "oauth_grant",
            Self::RoleToken => "role_token",
        }
    }
}

/// A token with a role, as it was when it was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UsedToken {
    pub id: CredentialId,
    pub label: String,
    pub role: Role,
}

/// Who makes a change. Handlers take it as an argument, like any extractor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub credential: Credential,
    /// The token where the credential is one with a role.
    pub token: Option<UsedToken>,
    pub request_id: String,
}

/// Larger values of `before` and `after` are left out: the row tells of a change, it is no copy of it.
const MAX_VALUE_BYTES: usize = 4_000;

/// One change, before it is written.
#[derive(Clone, Debug)]
pub struct Change {
    action: &'static str,
    target: Cow<'static, str>,
    newest_of: Option<&'static str>,
    user: Option<UserId>,
    before: Option<String>,
    after: Option<String>,
}

impl Change {
    /// `action` is `thing.verb`, such as `user.update`; `target` the thing's path below `/admin`, such as `users/1`.
    pub fn new(action: &'static str, target: impl Into<Cow<'static, str>>) -> Self {
        Self { action, target: target.into(), newest_of: None, user: None, before: None, after: None }
    }

    /// For a thing whose id the same batch hands out, in a statement before this one: the highest id of `table` is appended to `path`.
    pub fn created(action: &'static str, path: impl Into<Cow<'static, str>>, table: &'static str) -> Self {
        Self { newest_of: Some(table), ..Self::new(action, path) }
    }

    /// The user whose thing it is.
    #[must_use]
    pub const fn of_user(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }

    #[must_use]
    pub fn before(mut self, value: &impl Serialize) -> Self {
        self.before = small(value);
        self
    }

    #[must_use]
    pub fn after(mut self, value: &impl Serialize) -> Self {
        self.after = small(value);
        self
    }
}

fn small(value: &impl Serialize) -> Option<String> {
    let text = serde_json::to_string(value).ok()?;
    Some(if text.len() <= MAX_VALUE_BYTES { text } else { format!("{{\"left_out_bytes\":{}}}", text.len()) })
}

impl Actor {
    /// For the batch that makes the change.
    pub fn made(&self, change: Change, now: Millis) -> Statement {
        self.made_where("TRUE", change, now)
    }

    fn token_json(&self) -> Option<String> {
        self.token.as_ref().and_then(small)
    }

    /// One row for each run that `is_meant` (SQL on a row of `job_runs`; `?1` is `now`, `?4` the id of the request, and from `?6` on
    /// to be bound), with the status it has as what was before.
    pub fn made_to_runs(&self, action: &'static str, is_meant: &str, now: Millis) -> Statement {
        let sql = format!(
            "INSERT INTO audit (at, credential, action, target, user_id, before_json, request_id, token_json) \
             SELECT ?1, ?2, ?3, 'job-runs/' || id, user_id, json_object('status', status), ?4, ?5 \
             FROM job_runs WHERE {is_meant}"
        );
        let statement = Statement::new(sql).bind(now).bind(self.credential.as_str()).bind(action);
        statement.bind(self.request_id.as_str()).bind(self.token_json())
    }

    /// For a batch that makes the change only where `condition` (SQL; `?8` is the id of the request) holds: it goes before that statement if
    /// the condition is its guard, or after it if it tells that it happened.
    pub fn made_where(&self, condition: &str, change: Change, now: Millis) -> Statement {
        // A table's name cannot be bound; it is a constant of this program.
        let newest = change.newest_of.map(|table| format!("(SELECT max(id) FROM {table})"));
        let target = newest.as_ref().map_or("?4".to_owned(), |newest| format!("?4 || {newest}"));
        let user = if change.newest_of == Some("users") { "(SELECT max(id) FROM users)" } else { "?5" };
        let sql = format!(
            "INSERT INTO audit (at, credential, action, target, user_id, before_json, after_json, request_id, token_json) \
             SELECT ?1, ?2, ?3, {target}, coalesce({user}, ?5), ?6, ?7, ?8, ?9 WHERE {condition}"
        );
        Statement::new(sql)
            .bind(now)
            .bind(self.credential.as_str())
            .bind(change.action)
            .bind(change.target.into_owned())
            .bind(change.user)
            .bind(change.before)
            .bind(change.after)
            .bind(self.request_id.as_str())
            .bind(self.token_json())
    }
}

/// A row of `audit`.
#[derive(Clone, Debug, Deserialize)]
pub struct Recorded {
    pub id: i64,
    pub at: Millis,
    pub credential: Credential,
    pub token_json: Option<String>,
    pub action: String,
    pub target: String,
    pub user_id: Option<UserId>,
    pub before_json: Option<String>,
    pub after_json: Option<String>,
    pub request_id: Option<String>,
}

/// What narrows a list of changes; all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub user: Option<UserId>,
    pub credential: Option<String>,
    pub action: Option<String>,
    /// The thing itself, and all that lies below it.
    pub target: Option<String>,
    pub request_id: Option<String>,
    pub since: Option<Millis>,
    pub until: Option<Millis>,
}

impl HasId for Recorded {
    fn id(&self) -> i64 {
        self.id
    }
}

/// Changes that match, newest first, a page of them.
pub async fn list(db: &dyn Db, filter: &Filter, part: Part) -> Result<Walked<Recorded>, StoreError> {
    const COLUMNS: &str = "id, at, credential, token_json, action, target, user_id, before_json, after_json, \
        request_id";
    const MATCHES: &str = "(?1 IS NULL OR user_id = ?1) AND (?2 IS NULL OR credential = ?2) \
        AND (?3 IS NULL OR action = ?3) \
        AND (?4 IS NULL OR target = ?4 OR substr(target, 1, length(?4) + 1) = ?4 || '/') \
        AND (?5 IS NULL OR request_id = ?5) AND (?6 IS NULL OR at >= ?6) AND (?7 IS NULL OR at < ?7)";
    let bind = |statement: Statement| {
        statement
            .bind(filter.user)
            .bind(filter.credential.clone())
            .bind(filter.action.clone())
            .bind(filter.target.clone())
            .bind(filter.request_id.clone())
            .bind(filter.since)
            .bind(filter.until)
    };
    walk(db, &Listed { table: "audit", columns: COLUMNS, matches: MATCHES, bind: &bind }, part).await
}

/// A JSON column as the value it holds.
pub fn value(json: Option<&str>) -> Option<Value> {
    json.and_then(|text| serde_json::from_str(text).ok())
}
