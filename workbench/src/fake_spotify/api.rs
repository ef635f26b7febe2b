//! The Web API's endpoints that an app of 2026 still has and Listenlog uses.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::{
    FakeSpotify, FakeTrack, Listener, Reply, Request,
    listener::SHOWN,
    tracks::{artist_json, artist_numbered},
};

impl FakeSpotify {
    pub(super) fn api(&self, path: &str, request: &Request, now_ms: i64) -> Reply {
        let Some((id, scopes)) = self.bearer(request, now_ms) else {
            return Reply::error(401, "The access token expired");
        };
        let Some(listener) = self.listeners.iter().find(|listener| listener.id == id) else {
            return Reply::error(401, "Invalid access token");
        };
        if !listener.is_on_allow_list {
            return Reply::text(403, "User not registered in the Developer Dashboard");
        }
        let may = |scope: &str| scopes.iter().any(|granted| granted == scope);
        let query = request.query();
        let document = match path {
            "/me" => Ok(profile(listener)),
            "/me/player/recently-played" if may("user-read-recently-played") => {
                recently_played(listener, &query, now_ms)
            }
            "/me/top/artists" | "/me/top/tracks" if may("user-top-read") => top(path, listener, &query, now_ms),
            "/me/player/recently-played" | "/me/top/artists" | "/me/top/tracks" => {
                return Reply::error(403, "Insufficient client scope");
            }
            "/search" => search(&query),
            // What was removed answers without a reason.
            _ => return Reply::text(403, ""),
        };
        match document {
            Ok(document) => Reply::json(200, &document),
            Err(message) => Reply::error(400, message),
        }
    }
}

type Query = HashMap<String, String>;

fn limit(query: &Query, default: usize, max: usize) -> Result<usize, &'static str> {
    let Some(text) = query.get("limit") else { return Ok(default) };
    text.parse().ok().filter(|limit| (1..=max).contains(limit)).ok_or("Invalid limit")
}

fn profile(listener: &Listener) -> Value {
    let mut document = json!({
        "id": listener.id, "display_name": listener.display_name, "uri": format!("spotify:user:{}", listener.id),
        "type": "user", "images": [], "href": format!("https://api.spotify.com/v1/users/{}", listener.id)
    });
    if let (Some(account_id), Some(fields)) = (&listener.account_id, document.as_object_mut()) {
        fields.insert("account_id".to_owned(), account_id.clone().into());
    }
    document
}

fn recently_played(listener: &Listener, query: &Query, now_ms: i64) -> Result<Value, &'static str> {
    let limit = limit(query, 20, SHOWN)?;
    let bound = |name: &str| query.get(name).map(|text| text.parse::<i64>().map_err(|_| "Invalid cursor")).transpose();
    let (after, before) = (bound("after")?, bound("before")?);
    if after.is_some() && before.is_some() {
        return Err("Only one of before and after may be given");
    }
    let plays = listener.recent(now_ms);
    let wanted = plays.iter().filter(|play| {
        before.is_none_or(|before| play.ended_at_ms < before) && after.is_none_or(|after| play.ended_at_ms > after)
    });
    let shown: Vec<_> = wanted.take(limit).collect();
    let items: Vec<Value> = shown
        .iter()
        .map(|play| {
            let context = play.context_uri.as_ref().map(|uri| json!({"type": "album", "uri": uri, "href": null}));
            json!({"track": play.track.to_json(), "played_at": rfc3339(play.ended_at_ms), "context": context})
        })
        .collect();
    let cursor = |at: Option<&&super::FakePlay>| at.map(|play| play.ended_at_ms.to_string());
    let cursors = (!items.is_empty()).then(|| json!({"after": cursor(shown.first()), "before": cursor(shown.last())}));
    let next = shown.last().map(|play| {
        format!("https://api.spotify.com/v1/me/player/recently-played?before={}&limit={limit}", play.ended_at_ms)
    });
    Ok(json!({"items": items, "next": next, "cursors": cursors, "limit": limit, "href": ""}))
}

/// With milliseconds always, as Spotify writes it.
fn rfc3339(unix_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn top(path: &str, listener: &Listener, query: &Query, now_ms: i64) -> Result<Value, &'static str> {
    let range = query.get("time_range").map_or("medium_term", String::as_str);
    if !["short_term", "medium_term", "long_term"].contains(&range) {
        return Err("Invalid time range");
    }
    let limit = limit(query, 20, 50)?;
    let mut counts: BTreeMap<String, (usize, Value)> = BTreeMap::new();
    for play in listener.recent(now_ms) {
        let counted = if path.ends_with("tracks") {
            vec![(play.track.uri.clone(), play.track.to_json())]
        } else {
            let artists = play.track.artists.iter();
            artists.map(|(id, name)| (name.clone(), artist_json(id.as_deref(), name))).collect()
        };
        for (key, value) in counted {
            counts.entry(key).or_insert((0, value)).0 += 1;
        }
    }
    let mut ranked: Vec<_> = counts.into_values().collect();
    ranked.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let items: Vec<Value> = ranked.into_iter().take(limit).map(|(_, value)| value).collect();
    Ok(json!({"items": items, "total": items.len(), "limit": limit, "offset": 0, "next": null}))
}

fn search(query: &Query) -> Result<Value, &'static str> {
    let words = query.get("q").filter(|words| !words.trim().is_empty()).ok_or("No search query")?.to_lowercase();
    let limit = limit(query, 5, 10)?;
    let found = |name: &str| name.to_lowercase().contains(words.trim());
    let tracks = || (0..400).map(FakeTrack::numbered);
    let (list, items): (&str, Vec<Value>) = match query.get("type").map(String::as_str) {
        Some("track") => {
            ("tracks", tracks().filter(|track| found(&track.name)).take(limit).map(|track| track.to_json()).collect())
        }
        Some("album") => {
            let albums = (0..45).map(|number| FakeTrack::numbered(number * 9));
            let albums = albums.filter(|track| found(&track.album_name));
            ("albums", albums.take(limit).map(|track| track.album_json()).collect())
        }
        Some("artist") => {
            let artists = (0..37).map(artist_numbered).filter(|(_, name)| found(name));
            ("artists", artists.take(limit).map(|(id, name)| artist_json(id.as_deref(), &name)).collect())
        }
        _ => return Err("Bad search type field"),
    };
    Ok(json!({list: {"items": items, "limit": limit, "offset": 0, "total": items.len(), "next": null}}))
}
