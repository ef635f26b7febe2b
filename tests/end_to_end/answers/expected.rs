//! Whole answers as they must be, from the truth alone; only ids, sentences and the order of full ties are left open.

use listenlog_workbench::{
    generator::TruePlay,
    truth::{self, Credit, RankedTrack, WhyEmpty},
};
use serde_json::{Value, json};

use super::questions::{Query, Resolved, rfc3339};

const FIRST: usize = 10;
const LISTED_GAPS: usize = 50;

/// What the tool must answer, but for what [`without_open_ends`] takes away. `answered` settles full ties alone.
pub fn answer(tool: &str, query: &Query<'_>, resolved: &Resolved, answered: &Value) -> Value {
    let (plays, question) = (&query.listener.plays[..], &resolved.question);
    let totals = truth::totals(plays, question);
    let mut expected = json!({
        "window": {
            "from": rfc3339(question.from_ms),
            "to": rfc3339(resolved.to_shown_ms),
            "days": resolved.days,
            "timezone": query.zone_name(),
        },
        "counted": {"plays": totals.plays, "rows": totals.rows, "estimated_ms": 0, "estimated_share": 0.0},
    });
    let of_tool = match tool {
        "history_top_artists" => json!({"items": artists(plays, question, query.limit)}),
        "history_top_tracks" => json!({"items": tracks(plays, question, query.limit, &answered["items"])}),
        "history_top_albums" => json!({
            "items": albums(plays, question, query.limit),
            "plays_without_album": truth::plays_without_album(plays, question),
        }),
        "history_listening_heatmap" => {
            let mut heatmap = heatmap(query, resolved);
            heatmap["total_plays"] = totals.plays.into();
            heatmap
        }
        "history_repeat_rate" => json!({
            "total_plays": totals.plays,
            "unique_tracks": totals.unique_tracks,
            "repeat_rate": rate(totals.plays, totals.unique_tracks, 2),
            "most_repeated": tracks(plays, question, FIRST, &answered["most_repeated"]),
            "one_time_tracks": truth::one_time_tracks(plays, question),
        }),
        "history_coverage" => coverage(query, resolved),
        "history_taste_summary" => {
            let week = truth::heatmap(plays, question, &query.zone());
            json!({
                "total_plays": totals.plays,
                "unique_tracks": totals.unique_tracks,
                "unique_artists": totals.unique_artists,
                "total_ms_played": totals.ms_played,
                "listening_hours": rate(usize::try_from(totals.ms_played).unwrap(), 3_600_000, 1),
                "estimated_share": 0.0,
                "top_artists": artists(plays, question, FIRST),
                "top_tracks": tracks(plays, question, FIRST, &answered["top_tracks"]),
                "repeat_rate": rate(totals.plays, totals.unique_tracks, 2),
                "concentration": rate(truth::plays_of_top_artists(plays, question, FIRST), totals.plays, 3),
                "peak_weekday": week.peak_weekday,
                "peak_hour": week.peak_hour,
                "heatmap": heatmap(query, resolved),
                "coverage": coverage(query, resolved),
            })
        }
        other => panic!("no truth for {other}"),
    };
    for (name, value) in of_tool.as_object().unwrap() {
        expected[name.as_str()] = value.clone();
    }
    expected
}

/// A quotient to so many decimals, half up; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn rate(part: usize, whole: usize, decimals: i32) -> f64 {
    let (part, whole) = (part as f64, whole as f64);
    let scale = 10_f64.powi(decimals);
    if whole == 0.0 { 0.0 } else { (part / whole * scale).round() / scale }
}

fn credited(rank: usize, credit: &Credit, names: Value) -> Value {
    let mut item = names;
    item["rank"] = rank.into();
    item["play_count"] = credit.play_count.into();
    item["ms_played"] = credit.ms_played.into();
    item["first_played_at"] = rfc3339(credit.first_played_at_ms);
    item["last_played_at"] = rfc3339(credit.last_played_at_ms);
    item
}

fn shown(name: Option<&str>) -> &str {
    name.unwrap_or("Unknown")
}

fn artists(plays: &[TruePlay], question: &truth::Question, limit: usize) -> Vec<Value> {
    let ranked = truth::top_artists(plays, question);
    let item = |(rank, artist): (usize, &truth::RankedArtist)| {
        let names = json!({"artist_name": artist.artist, "unique_tracks": artist.unique_tracks});
        credited(rank, &artist.credit, names)
    };
    (1..).zip(ranked.iter().take(limit)).map(item).collect()
}

/// Of tracks equal in plays, time and title any may come first: such take the order that was answered.
fn tracks(plays: &[TruePlay], question: &truth::Question, limit: usize, answered: &Value) -> Vec<Value> {
    let mut left = truth::top_tracks(plays, question);
    let mut items = Vec::new();
    while items.len() < limit && !left.is_empty() {
        let key = |track: &RankedTrack| (track.credit.play_count, track.credit.ms_played, track.title.clone());
        let tied = left.iter().take_while(|track| key(track) == key(&left[0]));
        let told = &answered[items.len()];
        let is_told = |track: &RankedTrack| {
            told["uri"] == json!(track.uri) && told["artist_name"] == shown(track.artist.as_deref())
        };
        let place = tied.clone().position(is_told).unwrap_or(0);
        let track = left.remove(place);
        let names = json!({
            "track_name": shown(track.title.as_deref()),
            "artist_name": shown(track.artist.as_deref()),
            "uri": track.uri,
        });
        items.push(credited(items.len() + 1, &track.credit, names));
    }
    items
}

fn albums(plays: &[TruePlay], question: &truth::Question, limit: usize) -> Vec<Value> {
    let ranked = truth::top_albums(plays, question);
    let item = |(rank, album): (usize, &truth::RankedAlbum)| {
        let artist = shown(album.artist.as_deref());
        let names = json!({"album_name": album.album, "artist_name": artist, "unique_tracks": album.unique_tracks});
        credited(rank, &album.credit, names)
    };
    (1..).zip(ranked.iter().take(limit)).map(item).collect()
}

fn heatmap(query: &Query<'_>, resolved: &Resolved) -> Value {
    let heatmap = truth::heatmap(&query.listener.plays, &resolved.question, &query.zone());
    let cells = heatmap.cells.iter().map(|((weekday, hour), cell)| {
        json!({"weekday": weekday, "hour": hour, "play_count": cell.play_count, "ms_played": cell.ms_played})
    });
    let peaks = json!({"weekday": heatmap.peak_weekday, "hour": heatmap.peak_hour});
    json!({"cells": cells.collect::<Vec<_>>(), "peaks": peaks})
}

fn coverage(query: &Query<'_>, resolved: &Resolved) -> Value {
    let (listener, question) = (query.listener, &resolved.question);
    let totals = truth::totals(&listener.plays, question);
    let of_account: Vec<TruePlay> =
        listener.plays.iter().filter(|play| listener.is_in_account_data(play)).cloned().collect();
    let account = truth::totals(&of_account, question).plays;
    let (extended, merged) = if listener.in_extended { (totals.plays, account) } else { (0, 0) };
    let days = truth::day_count(&listener.plays, question, &query.zone());
    let mut longest = days.gaps.clone();
    longest.sort_by_key(|gap| (std::cmp::Reverse(gap.days), gap.from));
    longest.truncate(LISTED_GAPS);
    longest.sort_by_key(|gap| gap.from);
    let gaps = longest.iter().map(|gap| {
        let cause = match gap.why {
            WhyEmpty::BeforeTheFirstPlay => "before the history begins",
            WhyEmpty::AfterTheLastPlay => "after the newest data",
            WhyEmpty::Between => "no listening, or missing data",
            WhyEmpty::NoPlays => "nothing was recorded yet",
        };
        json!({"from": gap.from.to_string(), "to": gap.to.to_string(), "days": gap.days, "likely_cause": cause})
    });
    json!({
        "total_plays": totals.plays,
        "rows": totals.rows,
        "earliest": totals.first_ended_at_ms.map(rfc3339),
        "latest": totals.last_ended_at_ms.map(rfc3339),
        "api_count": 0,
        "extended_count": extended,
        "account_count": account,
        "merged_count": merged,
        "active_days": days.active,
        "requested_days": resolved.days,
        "coverage_ratio": rate(days.active, usize::try_from(resolved.days).unwrap(), 3).min(1.0),
        "gaps": gaps.collect::<Vec<_>>(),
        "gaps_left_out": days.gaps.len() - longest.len(),
        // Nothing was polled, so no list can have overflown.
        "possible_gaps": [],
    })
}

/// The answer without what the truth cannot know: ids (which must be numbers) and sentences.
pub fn without_open_ends(mut answer: Value) -> Value {
    let root = answer.as_object_mut().unwrap();
    let note = root.remove("coverage_note");
    assert!(note.is_some_and(|note| note.is_null() || note.is_string()));
    let rule = root.get_mut("counted").and_then(|counted| counted.as_object_mut()?.remove("rule"));
    assert!(rule.is_some_and(|rule| rule.is_string()));
    remove_ids(&mut answer);
    answer
}

fn remove_ids(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for id in ["track_id", "artist_id"] {
                assert!(fields.remove(id).is_none_or(|id| id.is_u64()), "{id} is no number");
            }
            fields.values_mut().for_each(remove_ids);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_ids),
        _ => {}
    }
}

/// Every place where the two differ.
pub fn differences(path: &str, answered: &Value, expected: &Value, found: &mut Vec<String>) {
    match (answered, expected) {
        (Value::Object(one), Value::Object(other)) => {
            let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let (one, other) = (one.get(name).unwrap_or(&Value::Null), other.get(name).unwrap_or(&Value::Null));
                differences(&format!("{path}/{name}"), one, other, found);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            if one.len() != other.len() {
                found.push(format!("{path}: {} entries, the truth has {}", one.len(), other.len()));
            }
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                differences(&format!("{path}/{index}"), one, other, found);
            }
        }
        (Value::Number(one), Value::Number(other)) => {
            let distance = one.as_f64().unwrap() - other.as_f64().unwrap();
            if distance.abs() > 1e-9 {
                found.push(format!("{path}: {one}, the truth is {other}"));
            }
        }
        _ if answered == expected => {}
        _ => found.push(format!("{path}: {answered}, the truth is {expected}")),
    }
}
