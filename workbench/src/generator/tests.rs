//! The generator: the same seed gives the same life, and what is written is what Spotify would write.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io::{Cursor, Read},
};

use jiff::Timestamp;
use serde_json::Value;

use super::*;

/// The files of an archive: name and text.
fn unpacked(archive: &[u8]) -> BTreeMap<String, String> {
    let mut zip = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    (0..zip.len())
        .map(|index| {
            let mut entry = zip.by_index(index).unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (entry.name().unwrap().into_owned(), text)
        })
        .collect()
}

fn rows(files: &BTreeMap<String, String>, stem: &str) -> Vec<Value> {
    files
        .iter()
        .filter(|(name, _)| name.contains(stem))
        .flat_map(|(_, text)| serde_json::from_str::<Vec<Value>>(text).unwrap())
        .collect()
}

fn keys(row: &Value) -> Vec<&str> {
    row.as_object().unwrap().keys().map(String::as_str).collect()
}

fn ms_in(rows: &[Value], field: &str) -> i64 {
    rows.iter().map(|row| row[field].as_i64().unwrap()).sum()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let archive = |seed| {
        let plan = ExportPlan::small(seed);
        plan.write(&plan.live()).unwrap()
    };
    assert_eq!(archive(3), archive(3));
    assert_ne!(archive(3), archive(4));
}

#[test]
fn plays_follow_one_another_within_the_plan() {
    for plan in [ExportPlan::demo(), ExportPlan::small(1), ExportPlan::small(2), crowded()] {
        let plays = plan.live();
        assert_eq!(plays.len(), plan.plays);
        assert!(plays[0].started_at_ms >= plan.from_ms);
        for pair in plays.windows(2) {
            assert!(pair[0].ended_at_ms <= pair[1].started_at_ms);
        }
        for play in &plays {
            assert!(play.ended_at_ms >= play.started_at_ms + play.ms_played.max(1_000));
            assert!(play.reported_at_ms < plan.to_ms && play.ended_at_ms < plan.to_ms, "{play:?}");
            assert_eq!(play.reported_at_ms % 1_000, 0);
        }
    }
}

/// More music than days have hours for, unless tracks get shorter.
fn crowded() -> ExportPlan {
    ExportPlan { plays: 30_000, to_ms: ExportPlan::demo().from_ms + 60 * 86_400_000, ..ExportPlan::demo() }
}

#[test]
fn a_life_has_what_real_ones_have() {
    let plan = ExportPlan::demo();
    let plays = plan.live();
    let per_mille =
        |test: &dyn Fn(&TruePlay) -> bool| plays.iter().filter(|play| test(play)).count() * 1_000 / plays.len();
    assert!((160..=230).contains(&per_mille(&|play| play.ms_played < 30_000)));
    for kind in [Kind::Podcast, Kind::Audiobook, Kind::Video, Kind::Local] {
        assert!((2..=30).contains(&per_mille(&|play| play.kind == kind)), "{kind:?}");
    }
    assert!((8..=60).contains(&per_mille(&|play| play.offline)));
    assert!((3..=40).contains(&per_mille(&|play| play.incognito)));
    assert!(per_mille(&|play| play.names_withheld) >= 1);
    for edge_ms in [0, 29_999, 30_000] {
        assert!(plays.iter().any(|play| play.ms_played == edge_ms), "{edge_ms}");
    }
    assert!(plays.windows(2).any(|pair| pair[0].uri == pair[1].uri), "no replay");
    let synced_together =
        plays.windows(2).filter(|pair| pair[0].offline && pair[0].reported_at_ms == pair[1].reported_at_ms);
    assert!(synced_together.count() > 50);
    let mut uris: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for play in plays.iter().filter(|play| play.kind == Kind::Music) {
        uris.entry((play.artist.clone(), play.title.clone())).or_default().insert(play.uri.clone());
    }
    assert!(uris.values().any(|uris| uris.len() == 2), "no track with two URIs");
    assert!(uris.values().all(|uris| uris.len() <= 2));
}

/// A store may key a row by these; two true plays must not fall together there.
#[test]
fn no_two_rows_of_an_extended_history_are_equal() {
    let plan = ExportPlan::demo();
    let files = unpacked(&plan.write(&plan.live()).unwrap());
    let rows = rows(&files, "Streaming_History_");
    let distinct: HashSet<String> = rows.iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), rows.len());
}

#[test]
fn an_extended_history_is_the_plan_row_by_row() {
    let plan = ExportPlan::demo();
    let plays = plan.live();
    let files = unpacked(&write_extended(&plays, FieldSet::R4).unwrap());
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let folder = "Spotify Extended Streaming History/";
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(names.contains(&format!("{folder}ReadMeFirst_ExtendedStreamingHistory.pdf").as_str()));
    assert!(
        names
            .iter()
            .any(|name| name.starts_with(&format!("{folder}Streaming_History_Audio_2019-20"))
                && name.ends_with("_0.json"))
    );
    assert!(names.iter().any(|name| name.ends_with("-2024_1.json")));
    assert!(names.contains(&format!("{folder}Streaming_History_Video_2019-2024.json").as_str()), "{names:?}");

    let rows = rows(&files, "Streaming_History_");
    assert_eq!(rows.len(), plan.plays);
    assert_eq!(ms_in(&rows, "ms_played"), plays.iter().map(|play| play.ms_played).sum::<i64>());
    let uris = |rows: &[Value], field: &str| rows.iter().filter(|row| row[field].is_string()).count();
    let count = |kinds: &[Kind]| plays.iter().filter(|play| kinds.contains(&play.kind)).count();
    assert_eq!(uris(&rows, "spotify_track_uri"), count(&[Kind::Music, Kind::Local, Kind::Video]));
    assert_eq!(uris(&rows, "spotify_episode_uri"), count(&[Kind::Podcast]));
    assert_eq!(uris(&rows, "audiobook_chapter_uri"), count(&[Kind::Audiobook]));
    let mut reported: Vec<String> =
        plays.iter().map(|play| Timestamp::from_millisecond(play.reported_at_ms).unwrap().to_string()).collect();
    let mut written: Vec<&str> = rows.iter().map(|row| row["ts"].as_str().unwrap()).collect();
    reported.sort_unstable();
    written.sort_unstable();
    assert_eq!(reported, written);
}

#[test]
fn every_age_of_export_has_its_fields_and_its_personal_values() {
    let plays = ExportPlan::small(5).live();
    for (fields, count) in [(FieldSet::R1, 21), (FieldSet::R2, 20), (FieldSet::R3, 19), (FieldSet::R4, 23)] {
        let files = unpacked(&write_extended(&plays, fields).unwrap());
        let rows = rows(&files, "_Audio_");
        assert_eq!(keys(&rows[0]).len(), count, "{fields:?}");
        let audiobooks = plays.iter().filter(|play| play.kind == Kind::Audiobook).count();
        let expected = if fields.has_audiobooks() { plays.len() } else { plays.len() - audiobooks };
        assert_eq!(self::rows(&files, "Streaming_History_").len(), expected);
        assert_eq!(seen_by_extended(&plays, fields).len(), expected);
        let text: String = files.into_values().collect();
        assert!(text.contains(PERSONAL_VALUES[0]));
        assert_eq!(text.contains(PERSONAL_VALUES[1]), fields == FieldSet::R1);
        assert_eq!(text.contains(PERSONAL_VALUES[2]), matches!(fields, FieldSet::R1 | FieldSet::R2));
    }
}

#[test]
fn endsong_is_one_line_of_the_oldest_fields() {
    let plays = ExportPlan::small(6).live();
    let files = unpacked(&write_endsong(&plays).unwrap());
    let text = &files["MyData/endsong_0.json"];
    assert!(!text.contains('\n') && text.starts_with("[{\"ts\":\"20"));
    assert!(files.contains_key("MyData/endvideo_0.json"));
    assert!(keys(&rows(&files, "endsong")[0]).contains(&"ip_addr_decrypted"));
}

#[test]
fn offline_timestamps_come_in_both_units_and_sometimes_not_at_all() {
    let plan = ExportPlan::demo();
    let files = unpacked(&plan.write(&plan.live()).unwrap());
    let rows = rows(&files, "_Audio_");
    let stamps: Vec<Option<i64>> = rows.iter().map(|row| row["offline_timestamp"].as_i64()).collect();
    assert!(stamps.iter().any(Option::is_none));
    assert!(stamps.contains(&Some(0)));
    assert!(stamps.iter().flatten().any(|stamp| *stamp > 100_000_000_000));
    assert!(stamps.iter().flatten().any(|stamp| (1..100_000_000_000).contains(stamp)));
}

#[test]
fn account_data_has_the_range_and_its_two_layouts() {
    let plays = ExportPlan::demo().live();
    let range = last_twelve_months(&plays);
    let inside: Vec<TruePlay> = plays.iter().filter(|play| range.contains(&play.reported_at_ms)).cloned().collect();
    let expected = seen_by_account(&inside, AccountLayout::New);
    let podcasts = expected.iter().filter(|play| play.kind == Kind::Podcast).count();

    let old = unpacked(&write_account(&plays, AccountLayout::Old, range.clone()).unwrap());
    let old_rows = rows(&old, "MyData/StreamingHistory");
    assert!(old.contains_key("MyData/StreamingHistory0.json") && old.contains_key("MyData/Playlist1.json"));
    assert_eq!(old_rows.len(), expected.len());
    assert_eq!(ms_in(&old_rows, "msPlayed"), expected.iter().map(|play| play.ms_played).sum::<i64>());

    let new = unpacked(&write_account(&plays, AccountLayout::New, range).unwrap());
    let music = rows(&new, "Spotify Account Data/StreamingHistory_music_");
    let spoken = rows(&new, "Spotify Account Data/StreamingHistory_podcast_");
    assert_eq!((music.len(), spoken.len()), (expected.len() - podcasts, podcasts));
    assert_eq!(keys(&music[0]), ["artistName", "endTime", "msPlayed", "trackName"]);
    assert_eq!(keys(&spoken[0]), ["endTime", "episodeName", "msPlayed", "podcastName"]);
    let end = music[0]["endTime"].as_str().unwrap();
    assert!(end.len() == 16 && end.as_bytes()[10] == b' ', "{end}");
    let text: String = new.into_values().collect();
    assert!(PERSONAL_VALUES[3..].iter().all(|value| text.contains(value)));
}

#[test]
fn account_files_end_after_ten_thousand_rows() {
    let plays = ExportPlan::demo().live();
    let files = unpacked(&write_account(&plays, AccountLayout::New, 0..i64::MAX).unwrap());
    let first: Vec<Value> = serde_json::from_str(&files["Spotify Account Data/StreamingHistory_music_0.json"]).unwrap();
    assert_eq!(first.len(), 10_000);
    assert!(files.contains_key("Spotify Account Data/StreamingHistory_music_1.json"));
}

#[test]
fn a_mixed_archive_has_both_folders() {
    let plan = ExportPlan { format: Format::Mixed(FieldSet::R3, AccountLayout::New), ..ExportPlan::small(8) };
    let files = unpacked(&plan.write(&plan.live()).unwrap());
    assert!(files.keys().any(|name| name.starts_with("Spotify Account Data/StreamingHistory_music_")));
    assert!(files.keys().any(|name| name.starts_with("Spotify Extended Streaming History/Streaming_History_Audio_")));
}
