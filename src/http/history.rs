//! `/history/users/{user_id}/...`: the history tools for programs, with query strings for arguments.

use axum::{Extension, Json, extract::Path, http::Uri};
use serde::Serialize;
use serde_json::Value;

use super::{auth::Caller, query::Query};
use crate::{
    app::App,
    domain::{
        ids::{TrackId, UserId},
        instant::Millis,
        observation::{Kind, Source},
    },
    error::AppError,
    store::play_list::{self, Cursor, PlayRow},
    tools::{self, Right, Tool, parameters::Arguments},
};

/// GET `/history/users/{user_id}/{question}`.
pub async fn ask(
    app: App,
    Extension(caller): Extension<Caller>,
    Path((user_id, question)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<Value>, AppError> {
    let tool = tool_of(&question).ok_or_else(|| AppError::NotFound("There is no such question.".to_owned()))?;
    let user = user_in_path(&user_id)?;
    // The path says who.
    let known: Vec<&str> =
        tool.parameters.iter().map(|parameter| parameter.name).filter(|name| *name != "user_id").collect();
    let mut pairs = Query::parse(&uri, &known)?.into_pairs();
    pairs.push(("user_id".to_owned(), user.to_string()));
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

/// An id of the path; whether there is such a user is told by the database.
fn user_in_path(text: &str) -> Result<UserId, AppError> {
    let id = text.parse::<i64>().ok().filter(|id| (1..=1 << 53).contains(id));
    id.map(UserId).ok_or_else(|| no_user(text))
}

fn no_user(text: &str) -> AppError {
    AppError::NotFound(format!("User {} not found.", text.chars().take(40).collect::<String>()))
}

/// A page of plays, newest first.
#[derive(Serialize)]
pub struct PlayPage {
    items: Vec<PlayItem>,
    /// `before` of the next page; null on the last.
    next_before: Option<String>,
}

#[derive(Serialize)]
struct PlayItem {
    ended_at: Millis,
    track_id: TrackId,
    track_name: Option<String>,
    artist_name: Option<String>,
    album_name: Option<String>,
    uri: Option<String>,
    kind: Option<Kind>,
    /// Null: no source says.
    ms_played: Option<i64>,
    sources: Vec<Source>,
}

impl From<PlayRow> for PlayItem {
    fn from(row: PlayRow) -> Self {
        let seen = [(row.extended, Source::Extended), (row.account, Source::Account), (row.api, Source::Api)];
        Self {
            ended_at: row.ended_at,
            track_id: row.track_id,
            track_name: row.title,
            artist_name: row.artist_name,
            album_name: row.album_name,
            uri: row.uri,
            kind: Kind::from_code(row.kind),
            ms_played: row.ms_played,
            sources: seen.into_iter().filter(|(by, _)| *by).map(|(_, source)| source).collect(),
        }
    }
}

const MAX_SEARCH_CHARS: usize = 100;

/// GET `/history/users/{user_id}/plays`: every row, counted or not; `limit` 1..200 (50), `before` from the page before,
/// `q` anywhere in the title or the artist's name.
pub async fn plays(
    app: App,
    Extension(caller): Extension<Caller>,
    Path(user_id): Path<String>,
    uri: Uri,
) -> Result<Json<PlayPage>, AppError> {
    let user = user_in_path(&user_id)?;
    caller.check(Right::READ)?;
    caller.whose(Some(user))?;
    let query = Query::parse(&uri, &["limit", "before", "q"])?;
    let limit = query.integer("limit", 1..=200)?.unwrap_or(50);
    let before = match query.get("before") {
        None => None,
        Some(text) => {
            let wrong = || AppError::invalid("before", "must be `next_before` of a page");
            Some(Cursor::parse(text).ok_or_else(wrong)?)
        }
    };
    let search = query.get("q");
    if search.is_some_and(|text| !(1..=MAX_SEARCH_CHARS).contains(&text.chars().count())) {
        return Err(AppError::invalid("q", format!("must be a text of 1 to {MAX_SEARCH_CHARS} characters")));
    }
    let limit = u32::try_from(limit).unwrap_or(50);
    // One more than is shown tells whether there is a next page.
    let mut rows =
        play_list::page(&*app.db, user, before, search, limit + 1).await?.ok_or_else(|| no_user(&user_id))?;
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_before = rows.last().filter(|_| has_more).map(|row| row.cursor().to_text());
    Ok(Json(PlayPage { items: rows.into_iter().map(PlayItem::from).collect(), next_before }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{
        domain::instant::Millis,
        testing::{
            TestApp,
            scene::{Scene, ScenePlay, SceneTrack},
        },
    };

    fn app() -> TestApp {
        let app = TestApp::new();
        let scene = Scene(&app);
        scene.user(1, "UTC").user(2, "UTC");
        for (id, title) in [(1, "100% _real_"), (2, "Jóga"), (3, "joga")] {
            let title = Some(title.to_owned());
            scene.track(&SceneTrack { id, title, artist_name: Some("Björk".to_owned()), ..SceneTrack::default() });
        }
        let play = |at, track, ordinal| ScenePlay { ordinal, ..ScenePlay::new(Millis(at), track, 0) };
        // Two of one instant, two of one track and instant, and a track without a row.
        scene.plays(1, &[play(5, 1, 0), play(5, 2, 0), play(5, 2, 1), play(3, 3, 0), play(9, 4, 0)]);
        scene.plays(2, &[play(7, 1, 0)]);
        app
    }

    fn keys(page: &Value) -> Vec<Value> {
        page["items"].as_array().unwrap().iter().map(|item| json!([item["ended_at"], item["track_id"]])).collect()
    }

    #[test]
    fn pages_of_any_size_hold_every_row_once() {
        let app = app();
        let whole = keys(&app.get("/history/users/1/plays").json());
        assert_eq!(whole.len(), 5);
        assert_eq!(whole[0], json!(["1970-01-01T00:00:00.009Z", 4]));
        for limit in 1..=5 {
            let mut all = Vec::new();
            let mut path = format!("/history/users/1/plays?limit={limit}");
            loop {
                let page = app.get(&path).json();
                all.extend(keys(&page));
                let Some(before) = page["next_before"].as_str() else { break };
                path = format!("/history/users/1/plays?limit={limit}&before={before}");
            }
            assert_eq!(all, whole, "{limit}");
        }
    }

    #[test]
    fn a_search_is_a_literal_part_of_title_or_artist() {
        let app = app();
        let found = |search: &str| app.get(&format!("/history/users/1/plays?q={search}")).json();
        for (search, count) in
            [("JOGA", 1), ("j%C3%B3g", 2), ("0%25+_r", 1), ("%25", 1), ("_", 1), ("Bj", 4), ("%27", 0)]
        {
            assert_eq!(found(search)["items"].as_array().unwrap().len(), count, "{search}");
        }
        assert_eq!(found("joga")["items"][0]["sources"], json!(["extended"]));
        assert_eq!(found("joga")["items"][0]["kind"], "music");
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let app = app();
        for (path, status) in [
            ("/history/users/1/plays?limit=201", 422),
            ("/history/users/1/plays?before=yesterday", 422),
            ("/history/users/1/plays?q=", 422),
            ("/history/users/1/plays?days=3", 422),
            ("/history/users/9/plays", 404),
            ("/history/users/x/plays", 404),
        ] {
            assert_eq!(app.get(path).status, status, "{path}");
        }
    }
}
