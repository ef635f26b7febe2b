//! `completion/complete`: what an argument may be completed to.
//!
//! Must stay true: artists are those that the caller's own user played, never those of others in the same catalogue; for
//! what is not known there are no completions, which is no error while somebody types.

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Asking, prompts,
    reply::{Reply, RpcError, read},
    resources::YEAR_TEMPLATE,
};
use crate::{
    domain::{
        ids::{UserId, normalised},
        instant::Millis,
        local_time::{LocalClock, date_of_day},
        zones,
    },
    error::AppError,
    http::auth::Caller,
    store::users,
    tools::{self, Right},
};

#[derive(Deserialize)]
struct Complete {
    #[serde(rename = "ref")]
    reference: Reference,
    argument: Asked,
    #[serde(default)]
    context: Context,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Reference {
    #[serde(rename = "ref/prompt")]
    Prompt { name: String },
    #[serde(rename = "ref/resource")]
    Resource { uri: String },
}

#[derive(Deserialize)]
struct Asked {
    name: String,
    value: String,
}

/// Other arguments that are set already.
#[derive(Default, Deserialize)]
struct Context {
    #[serde(default)]
    arguments: Map<String, Value>,
}

/// What the protocol allows in one answer.
const MAX_VALUES: usize = 100;
const LISTED_USERS: u32 = 200;

/// `completion/complete`.
pub async fn complete(asking: &Asking, params: Map<String, Value>) -> Result<Reply, RpcError> {
    let Complete { reference, argument, context } = read(params)?;
    let is_known = match &reference {
        Reference::Prompt { name } => prompts::takes(name, &argument.name),
        Reference::Resource { uri } => uri.contains(&format!("{{{}}}", argument.name)),
    };
    let begun = normalised(&argument.value);
    let candidates = match argument.name.as_str() {
        _ if !is_known => Vec::new(),
        "timezone" => zones(),
        "artist" => artists(asking, &context).await?,
        "user_id" => user_ids(asking).await?,
        "year" if matches!(&reference, Reference::Resource { uri } if uri == YEAR_TEMPLATE) => years(asking.app.now()),
        _ => Vec::new(),
    };
    Ok(answer(matching(candidates, &begun)))
}

/// Those that begin so, then those that hold it further on; each group in the order it came.
fn matching(candidates: Vec<String>, begun: &str) -> Vec<String> {
    let position = |candidate: &String| normalised(candidate).find(begun);
    let placed = candidates.into_iter().filter_map(|candidate| Some((position(&candidate)? > 0, candidate)));
    let (first, further): (Vec<_>, Vec<_>) = placed.partition(|(is_further, _)| !is_further);
    first.into_iter().chain(further).map(|(_, candidate)| candidate).collect()
}

fn answer(mut values: Vec<String>) -> Reply {
    let total = values.len();
    values.truncate(MAX_VALUES);
    let has_more = total > values.len();
    Reply::of(json!({ "completion": { "values": values, "total": total, "hasMore": has_more } }))
}

fn zones() -> Vec<String> {
    zones::names().filter(|name| name.contains('/') || *name == "UTC").map(str::to_owned).collect()
}

/// Years from the first that Spotify could know to the present, newest first.
fn years(now: Millis) -> Vec<String> {
    const SPOTIFY_BEGAN: i32 = 2008;
    let today = date_of_day(LocalClock::new(TimeZone::UTC).at(now).day);
    let this_year = today.split('-').next().and_then(|year| year.parse::<i32>().ok()).unwrap_or(SPOTIFY_BEGAN);
    (SPOTIFY_BEGAN..=this_year).rev().map(|year| year.to_string()).collect()
}

async fn user_ids(asking: &Asking) -> Result<Vec<String>, RpcError> {
    if let Caller::User(credential) = asking.caller {
        return Ok(vec![credential.user_id.to_string()]);
    }
    let (users, _) = users::list(&*asking.app.db, LISTED_USERS, 0).await.map_err(AppError::from)?;
    Ok(users.into_iter().map(|listed| listed.id.to_string()).collect())
}

/// Artists that the user played, most plays first. Nothing when it cannot be told whose.
async fn artists(asking: &Asking, context: &Context) -> Result<Vec<String>, RpcError> {
    let asked_for = context.arguments.get("user_id").and_then(|id| id.as_str()?.parse().ok().map(UserId));
    let Ok(user) = asking.caller.check(Right::READ).and_then(|()| asking.caller.whose(asked_for)) else {
        return Ok(Vec::new());
    };
    match tools::artists_played(&asking.app, user).await {
        Ok(names) => Ok(names),
        Err(AppError::NotFound(_) | AppError::Invalid(_)) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
