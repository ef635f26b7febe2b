//! What a client can read and keep at hand: a guide to the tools, and a user's profile, coverage and years.
//!
//! Must stay true: whatever is read of a user is read with the caller's right, and somebody else's is as if it were not
//! there.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Asking,
    era::Era,
    reply::{Code, Freshness, Reply, RpcError, clipped, read as read_params, refuse_cursor},
};
use crate::{
    domain::ids::UserId,
    error::AppError,
    http::auth::Caller,
    store::{askers, users},
    tools::{self, Right, catalogue, parameters::Arguments},
};

const GUIDE: &str = "listenlog://guide";
pub const YEAR_TEMPLATE: &str = "listenlog://users/{user_id}/years/{year}";

/// One kind of thing that is known of a user.
struct OfUser {
    /// The last part of its address, and of its template.
    path: &'static str,
    template: &'static str,
    title: &'static str,
    description: &'static str,
}

const OF_USER: [OfUser; 2] = [
    OfUser {
        path: "profile",
        template: "listenlog://users/{user_id}/profile",
        title: "Profile",
        description: "Who the listener is: name, time zone, plays stored, first and last play.",
    },
    OfUser {
        path: "coverage",
        template: "listenlog://users/{user_id}/coverage",
        title: "Coverage",
        description: "How complete the history is: by source, day by day, with its longest gaps. As history_coverage \
                      answers it for all time.",
    },
];

/// Users whose resources the admin is shown by name; the others' follow from the templates.
const LISTED_USERS: u32 = 50;

/// `resources/list`.
pub async fn list(asking: &Asking, params: &Map<String, Value>) -> Result<Reply, RpcError> {
    refuse_cursor(params)?;
    let mut resources = vec![json!({
        "uri": GUIDE,
        "name": "guide",
        "title": "Which tool for which question",
        "description": "Every tool with what it answers, and how to read the answers.",
        "mimeType": "text/markdown",
    })];
    if asking.caller.has(Right::READ) {
        for (user, whose) in listed_users(asking).await? {
            resources.extend(OF_USER.iter().map(|kind| {
                json!({
                    "uri": format!("listenlog://users/{user}/{}", kind.path),
                    "name": format!("{}-of-user-{user}", kind.path),
                    "title": format!("{}{whose}", kind.title),
                    "description": kind.description,
                    "mimeType": "application/json",
                })
            }));
        }
    }
    Ok(Reply::of(json!({ "resources": resources })).kept(Freshness::Own))
}

/// Whose resources are listed, each with what tells it from the others.
async fn listed_users(asking: &Asking) -> Result<Vec<(UserId, String)>, RpcError> {
    if let Caller::User(credential) = asking.caller {
        return Ok(vec![(credential.user_id, String::new())]);
    }
    let (users, _) = users::list(&*asking.app.db, LISTED_USERS, 0).await.map_err(AppError::from)?;
    Ok(users.into_iter().map(|user| (user.id, format!(" of {} (user {})", user.display_name, user.id))).collect())
}

/// `resources/templates/list`.
pub fn list_templates(params: &Map<String, Value>) -> Result<Reply, RpcError> {
    refuse_cursor(params)?;
    let template = |uri: &str, name: &str, title: &str, description: &str| {
        json!({
            "uriTemplate": uri,
            "name": name,
            "title": title,
            "description": description,
            "mimeType": "application/json",
        })
    };
    let mut templates: Vec<Value> =
        OF_USER.iter().map(|kind| template(kind.template, kind.path, kind.title, kind.description)).collect();
    let year = "A calendar year of the listener in one page, as history_taste_summary answers it.";
    templates.push(template(YEAR_TEMPLATE, "year", "Year", year));
    Ok(Reply::of(json!({ "resourceTemplates": templates })).kept(Freshness::Shared))
}

#[derive(Deserialize)]
struct Read {
    uri: String,
}

/// `resources/read`.
pub async fn read(asking: &Asking, params: Map<String, Value>) -> Result<Reply, RpcError> {
    let Read { uri } = read_params(params)?;
    if uri == GUIDE {
        let contents = json!([{ "uri": uri, "mimeType": "text/markdown", "text": guide() }]);
        return Ok(Reply::of(json!({ "contents": contents })).kept(Freshness::Shared));
    }
    let known = match address(&uri) {
        Some((user, wanted)) => match of_user(asking, user, wanted).await {
            Ok(value) => Some(value),
            Err(AppError::NotFound(_) | AppError::Forbidden(_) | AppError::Invalid(_)) => None,
            Err(error) => return Err(error.into()),
        },
        None => None,
    };
    let value = known.ok_or_else(|| not_found(&uri, asking.era))?;
    let contents = json!([{ "uri": uri, "mimeType": "application/json", "text": value.to_string() }]);
    Ok(Reply::of(json!({ "contents": contents })).kept(Freshness::Stale))
}

fn not_found(uri: &str, era: Era) -> RpcError {
    let sentence = match era {
        Era::Handshake => "Resource not found",
        Era::PerRequest => "There is no such resource: see resources/list and resources/templates/list.",
    };
    RpcError::new(Code::ResourceNotFound, sentence).with_data(json!({ "uri": clipped(uri) }))
}

#[derive(Clone, Copy)]
enum Wanted<'a> {
    Profile,
    Coverage,
    Year(&'a str),
}

/// `listenlog://users/{user_id}/...`, taken apart.
fn address(uri: &str) -> Option<(UserId, Wanted<'_>)> {
    let (user, wanted) = uri.strip_prefix("listenlog://users/")?.split_once('/')?;
    let user = user.parse::<i64>().ok().filter(|id| (1..1 << 53).contains(id))?;
    let is_year = |year: &&str| year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    let wanted = match wanted {
        "profile" => Wanted::Profile,
        "coverage" => Wanted::Coverage,
        other => Wanted::Year(other.strip_prefix("years/").filter(is_year)?),
    };
    Some((UserId(user), wanted))
}

async fn of_user(asking: &Asking, user: UserId, wanted: Wanted<'_>) -> Result<Value, AppError> {
    match wanted {
        Wanted::Profile => profile(asking, user).await,
        Wanted::Coverage => ask(asking, "history_coverage", &json!({ "user_id": user, "days": 36_500 })).await,
        Wanted::Year(year) => {
            let window = json!({ "user_id": user, "from": format!("{year}-01-01"), "to": format!("{year}-12-31") });
            ask(asking, "history_taste_summary", &window).await
        }
    }
}

async fn ask(asking: &Asking, tool: &str, arguments: &Value) -> Result<Value, AppError> {
    let nothing = Map::new();
    let tool = tools::find(tool).ok_or(AppError::Internal("a resource names a tool that is not there"))?;
    let arguments = Arguments::from_object(tool.parameters, arguments.as_object().unwrap_or(&nothing))?;
    tool.call(asking.app.clone(), asking.caller, arguments).await
}

async fn profile(asking: &Asking, user: UserId) -> Result<Value, AppError> {
    asking.caller.check(Right::READ)?;
    asking.caller.whose(Some(user))?;
    let mut results = asking.app.db.batch(vec![users::select(user), askers::select(Some(user))]).await?.into_iter();
    let user: Option<users::User> = results.next().unwrap_or_default().first()?;
    let asker = askers::read(results.next().unwrap_or_default())?;
    let (Some(user), Some(asker)) = (user, asker) else {
        return Err(AppError::NotFound("User not found.".to_owned()));
    };
    Ok(json!({
        "user_id": user.id,
        "display_name": user.display_name,
        "timezone": user.timezone,
        "total_plays": user.total_plays,
        "first_played_at": asker.first_ever,
        "last_played_at": asker.last_ever,
        "created_at": user.created_at,
    }))
}

const HOW_TO_READ: &str = "\
# Which tool for which question

## Reading an answer

* `window` is what was looked at. Without `days`, `from` or `to` it is the last 90 days; `days: 36500` is everything.
* `counted` says which plays count. A play of 30 seconds or more counts, or one whose length is unknown.
* `coverage_note` is a sentence to repeat: what the data does not cover. Null: nothing to say.
* Dates, weekdays and hours are the listener's own; instants are UTC.
* To compare two periods, ask twice with `from` and `to`.
* An error names the argument that is wrong and what is allowed: correct it and call again.

## The tools
";

/// The guide, from the catalogue: it never tells of a tool that is not there.
fn guide() -> String {
    let mut guide = HOW_TO_READ.to_owned();
    let tools = catalogue::value().as_array().map(Vec::as_slice).unwrap_or_default();
    for tool in tools {
        let text = |member: &str| tool[member].as_str().unwrap_or_default();
        guide.push_str(&["\n### ", text("name"), "\n\n", text("description"), "\n"].concat());
    }
    guide
}
