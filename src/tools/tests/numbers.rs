//! Every number of every tool against [`super::truth`], in three zones and across their clock changes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{
    result,
    truth::{Truth, local},
};
use crate::{
    domain::{
        ids::normalised,
        instant::{DAY_MS, Millis},
        observation::Kind,
    },
    testing::{
        TestApp,
        scene::{Scene, ScenePlay},
        test_app::NOW,
    },
};

struct Case {
    app: TestApp,
    truth: Truth,
    zone: TimeZone,
    from: Millis,
    to: Millis,
}

/// Three weeks around both clock changes of 2026, in zones that change on other days or not at all.
fn cases() -> Vec<Case> {
    let changes =
        [Millis(1_774_746_000_000), Millis(1_772_950_000_000), Millis(1_792_890_000_000), Millis(1_793_500_000_000)];
    let mut cases = Vec::new();
    for name in ["UTC", "America/St_Johns", "Europe/Berlin"] {
        for (seed, change) in (7..).zip(changes) {
            let (from, to) = (change.minus_ms(4 * DAY_MS + 1), change.plus_ms(5 * DAY_MS));
            let truth = Truth::generated(seed, from.minus_ms(3 * DAY_MS), to.plus_ms(3 * DAY_MS));
            let app = TestApp::new();
            let scene = Scene(&app);
            scene.user(1, name).user(2, "UTC");
            for (id, name) in &truth.artists {
                scene.artist(*id, name);
            }
            for track in truth.tracks.values() {
                scene.track(track);
            }
            scene.plays(1, &truth.plays);
            scene.plays(2, &[ScenePlay::new(change, 1, 60_000)]);
            cases.push(Case { app, truth, zone: TimeZone::get(name).unwrap(), from, to });
        }
    }
    cases
}

impl Case {
    fn ask(&self, tool: &str, kind: &str, min_ms: i64) -> Value {
        let (from, to) = (self.from.to_rfc3339(), self.to.to_rfc3339());
        let mut arguments = json!({"user_id": 1, "from": from, "to": to, "kind": kind, "min_ms_played": min_ms});
        if tool.starts_with("history_top") {
            arguments["limit"] = json!(100);
        }
        let answer = result(&self.app, tool, &arguments);
        assert_eq!(answer["window"]["from"], json!(self.from));
        assert_eq!(answer["window"]["to"], json!(self.to));
        assert_eq!(answer["window"]["timezone"], self.zone.iana_name().unwrap());
        let plays = self.counted(kind, min_ms);
        assert_eq!(answer["counted"]["plays"], plays.len());
        assert_eq!(answer["counted"]["rows"], self.counted(kind, 0).len());
        answer
    }

    fn counted(&self, kind: &str, min_ms: i64) -> Vec<ScenePlay> {
        let kind = Kind::ALL.into_iter().find(|known| known.name() == kind);
        self.truth.counted(self.from, self.to, kind, min_ms)
    }
}

fn each(check: impl Fn(&Case, &str, i64)) {
    for case in cases() {
        for (kind, min_ms) in [("music", 30_000), ("music", 0), ("all", 30_000), ("podcast", 0)] {
            check(&case, kind, min_ms);
        }
    }
}

fn sums(item: &Value) -> Value {
    json!([item["play_count"], item["ms_played"], item["first_played_at"], item["last_played_at"]])
}

#[test]
fn top_tracks_are_the_tracks_played_most() {
    each(|case, kind, min_ms| {
        let answer = case.ask("history_top_tracks", kind, min_ms);
        let plays = case.counted(kind, min_ms);
        let canonical = |play: &ScenePlay| vec![case.truth.canonical(play.track)];
        let expected = case.truth.ranking(&plays, canonical, |track| case.truth.title(*track));
        let items = answer["items"].as_array().unwrap();
        assert_eq!(items.len(), expected.len());
        for ((item, (track, sum)), rank) in items.iter().zip(&expected).zip(1..) {
            assert_eq!((&item["track_id"], &item["rank"]), (&json!(track), &json!(rank)));
            assert_eq!(sums(item), json!(sum));
            let known = case.truth.tracks.get(track);
            assert_eq!(item["uri"], json!(known.and_then(|known| known.uri.clone())));
        }
        let total: i64 = plays.iter().map(|play| case.truth.length(play)).sum();
        let estimated: i64 =
            plays.iter().filter(|play| play.ms_played.is_none()).map(|play| case.truth.length(play)).sum();
        assert_eq!(answer["counted"]["estimated_ms"], estimated);
        assert_eq!(items.iter().map(|item| item["ms_played"].as_i64().unwrap()).sum::<i64>(), total);
    });
}

#[test]
fn top_artists_credit_every_artist_of_a_track_once() {
    each(|case, kind, min_ms| {
        let answer = case.ask("history_top_artists", kind, min_ms);
        let plays = case.counted(kind, min_ms);
        let expected =
            case.truth.ranking(&plays, |play| case.truth.credits(play), |artist| case.truth.artists[artist].clone());
        let items = answer["items"].as_array().unwrap();
        assert_eq!(items.len(), expected.len());
        for (item, (artist, sum)) in items.iter().zip(&expected) {
            assert_eq!(item["artist_id"], json!(artist));
            assert_eq!(sums(item), json!(sum));
        }
    });
}

#[test]
fn top_albums_are_told_apart_by_name_and_artist() {
    each(|case, kind, min_ms| {
        let answer = case.ask("history_top_albums", kind, min_ms);
        let plays = case.counted(kind, min_ms);
        let album = |play: &ScenePlay| {
            let track = case.truth.tracks.get(&case.truth.canonical(play.track));
            let artist = track.and_then(|track| track.artist_name.clone()).unwrap_or_default();
            track
                .and_then(|track| track.album_name.clone())
                .map(|name| (name, normalised(&artist)))
                .into_iter()
                .collect()
        };
        let expected = case.truth.ranking(&plays, album, |(name, _)| name.clone());
        let items = answer["items"].as_array().unwrap();
        assert_eq!(items.len(), expected.len());
        let of_items: BTreeSet<String> =
            items.iter().map(|item| format!("{} {}", item["album_name"], sums(item))).collect();
        let wanted: BTreeSet<String> =
            expected.iter().map(|((name, _), sum)| format!("{} {}", json!(name), json!(sum))).collect();
        assert_eq!(of_items, wanted);
        let in_items: i64 = items.iter().map(|item| item["play_count"].as_i64().unwrap()).sum();
        assert_eq!(in_items + answer["plays_without_album"].as_i64().unwrap(), i64::try_from(plays.len()).unwrap());
    });
}

#[test]
fn the_heatmap_is_on_the_listeners_clock() {
    each(|case, kind, min_ms| {
        let answer = case.ask("history_listening_heatmap", kind, min_ms);
        let mut expected: BTreeMap<(i8, i8), (i64, i64)> = BTreeMap::new();
        for play in case.counted(kind, min_ms) {
            let at = local(play.ended_at, &case.zone);
            let cell = expected.entry((at.weekday().to_monday_zero_offset(), at.hour())).or_default();
            cell.0 += 1;
            cell.1 += case.truth.length(&play);
        }
        let cells: Vec<Value> = expected
            .iter()
            .map(|((weekday, hour), (plays, ms))| {
                json!({"weekday": weekday, "hour": hour, "play_count": plays, "ms_played": ms})
            })
            .collect();
        assert_eq!(answer["cells"], json!(cells));
        assert_eq!(answer["total_plays"], case.counted(kind, min_ms).len());
    });
}

#[test]
fn the_repeat_rate_is_plays_for_each_track() {
    each(|case, kind, min_ms| {
        let answer = case.ask("history_repeat_rate", kind, min_ms);
        let mut by_track: BTreeMap<i64, i64> = BTreeMap::new();
        let plays = case.counted(kind, min_ms);
        for play in &plays {
            *by_track.entry(case.truth.canonical(play.track)).or_default() += 1;
        }
        assert_eq!(answer["unique_tracks"], by_track.len());
        assert_eq!(answer["one_time_tracks"], by_track.values().filter(|plays| **plays == 1).count());
        let hundredths = (plays.len() * 100).checked_div(by_track.len()).unwrap_or(0);
        let told = answer["repeat_rate"].as_f64().unwrap() * 100.0;
        assert!((told - f64::from(u32::try_from(hundredths).unwrap())).abs() <= 1.0, "{told} {hundredths}");
        assert_eq!(answer["most_repeated"].as_array().unwrap().len(), by_track.len().min(10));
    });
}

#[test]
fn coverage_tells_sources_and_days() {
    each(|case, kind, min_ms| {
        let answer = case.ask("history_coverage", kind, min_ms);
        let plays = case.counted(kind, min_ms);
        let count = |is: fn(&ScenePlay) -> bool| plays.iter().filter(|play| is(play)).count();
        assert_eq!(answer["api_count"], count(|play| play.api));
        assert_eq!(answer["extended_count"], count(|play| play.extended));
        assert_eq!(answer["account_count"], count(|play| play.account));
        let merged = |play: &ScenePlay| u8::from(play.api) + u8::from(play.extended) + u8::from(play.account) > 1;
        assert_eq!(answer["merged_count"], count(merged));
        let days: BTreeSet<_> = case
            .truth
            .counted(case.from, case.to, None, 0)
            .iter()
            .map(|play| local(play.ended_at, &case.zone).date())
            .collect();
        assert_eq!(answer["active_days"], days.len());
        assert_eq!(answer["earliest"], json!(plays.iter().map(|play| play.ended_at).min()));
        assert_eq!(answer["latest"], json!(plays.iter().map(|play| play.ended_at).max()));
        assert_eq!(answer["gaps"], json!([]));
    });
}

#[test]
fn the_summary_says_what_the_single_tools_say() {
    each(|case, kind, min_ms| {
        let summary = case.ask("history_taste_summary", kind, min_ms);
        let first_ten = |tool: &str| {
            let items = case.ask(tool, kind, min_ms)["items"].clone();
            Value::from(items.as_array().unwrap().iter().take(10).cloned().collect::<Vec<_>>())
        };
        assert_eq!(summary["top_artists"], first_ten("history_top_artists"));
        assert_eq!(summary["top_tracks"], first_ten("history_top_tracks"));
        let heatmap = case.ask("history_listening_heatmap", kind, min_ms);
        assert_eq!(summary["heatmap"]["cells"], heatmap["cells"]);
        assert_eq!(summary["peak_weekday"], heatmap["peaks"]["weekday"]);
        assert_eq!(summary["peak_hour"], heatmap["peaks"]["hour"]);
        let coverage = case.ask("history_coverage", kind, min_ms);
        for name in ["rows", "active_days", "earliest", "latest", "merged_count", "coverage_ratio", "gaps"] {
            assert_eq!(summary["coverage"][name], coverage[name], "{name}");
        }
        assert_eq!(summary["repeat_rate"], case.ask("history_repeat_rate", kind, min_ms)["repeat_rate"]);
        let plays = case.counted(kind, min_ms);
        let artists: BTreeSet<i64> = plays.iter().flat_map(|play| case.truth.credits(play)).collect();
        assert_eq!(summary["unique_artists"], artists.len());
        assert_eq!(summary["total_ms_played"], plays.iter().map(|play| case.truth.length(play)).sum::<i64>());
        // All artists are among the first ten here: what is missing is what has no artist.
        let credited = plays.iter().filter(|play| !case.truth.credits(play).is_empty()).count();
        let told = summary["concentration"].as_f64().unwrap();
        if !plays.is_empty() {
            let share = f64::from(u32::try_from(credited).unwrap()) / f64::from(u32::try_from(plays.len()).unwrap());
            assert!((told - share).abs() < 0.001, "{told} {share}");
        }
    });
}

#[test]
fn two_spellings_of_the_present_give_one_answer() {
    let case = &cases()[0];
    let days = NOW.since_ms(Millis(0)) / DAY_MS;
    let ask = |arguments: Value| result(&case.app, "history_top_tracks", &arguments)["items"].clone();
    assert_eq!(ask(json!({"user_id": 1, "days": 36_500})), ask(json!({"user_id": 1, "days": days})));
    assert_eq!(ask(json!({"user_id": 1, "days": 36_500})), ask(json!({"user_id": 1, "from": "1970-01-01"})));
}
