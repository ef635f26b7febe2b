//! Slices as they are sent arrive as the same rows, and hostile ones are refused with their place.

use listenlog_workbench::generator::{
    AccountLayout, ExportPlan, FieldSet, PERSONAL_VALUES, write_account, write_extended,
};
use serde_json::{Value, json};

use super::*;
use crate::export::{ByteRange, DirectoryReader, FileHint, HistoryFile, Limits, samples::array};

const FILE: ImportFileId = ImportFileId(7);
/// After all that the generator invents.
const NOW: Millis = Millis(1_795_435_200_000);

fn rows_of(json: &[u8], hint: FileHint) -> (Format, Vec<Row>) {
    let mut file = HistoryFile::plain(hint, 0, &Limits::default(), NOW, FILE);
    let mut rows = Vec::new();
    file.feed(json, &mut rows).unwrap();
    file.finish(&mut rows).unwrap();
    (file.format().unwrap(), rows)
}

fn of_range<'a>(archive: &'a [u8], range: &ByteRange) -> &'a [u8] {
    let at = |offset: u64| usize::try_from(offset).unwrap();
    &archive[at(range.offset)..at(range.end())]
}

/// Every history file of an archive, as rows.
fn files_of(archive: &[u8]) -> Vec<(Format, Vec<Row>)> {
    let mut reader = DirectoryReader::new(archive.len() as u64, &Limits::default()).unwrap();
    let directory = loop {
        let range = reader.wants().unwrap();
        let bytes = of_range(archive, &range);
        if let Some(directory) = reader.feed(bytes).unwrap() {
            break directory;
        }
    };
    let mut files = Vec::new();
    for entry in directory.entries {
        let hint = FileHint::from_name(&entry.name);
        let mut file = HistoryFile::new(&entry, hint, 0, &Limits::default(), NOW, FILE).unwrap();
        let range = entry.range();
        let mut rows = Vec::new();
        file.feed(of_range(archive, &range), &mut rows).unwrap();
        file.finish(&mut rows).unwrap();
        if let Some(format @ (Format::Extended | Format::Account)) = file.format() {
            files.push((format, rows));
        }
    }
    files
}

fn sent(format: Format, rows: &[Row]) -> String {
    serde_json::to_string(&write(format, rows)).unwrap()
}

fn arrived(text: &str) -> Result<Vec<Row>, SliceError> {
    serde_json::from_str::<RowSlice<'_>>(text).unwrap().into_rows(FILE, NOW)
}

#[test]
fn what_is_sent_arrives_whatever_the_length_of_the_slices() {
    let plays = ExportPlan::small(5).live();
    let archives = [
        write_extended(&plays, FieldSet::R4).unwrap(),
        write_account(&plays, AccountLayout::New, i64::MIN..i64::MAX).unwrap(),
    ];
    for (format, rows) in archives.iter().flat_map(|archive| files_of(archive)) {
        assert!(!rows.is_empty());
        for length in [1, 7, 400, rows.len()] {
            for some in rows.chunks(length) {
                assert_eq!(arrived(&sent(format, some)).unwrap(), some);
            }
        }
    }
}

#[test]
fn rows_that_give_no_play_keep_their_places() {
    let json = r#"[1, {"ts":"2021-05-01T10:00:00Z","ms_played":1,"spotify_track_uri":"spotify:track:1"},
        {"ts":"soon","ms_played":1,"spotify_track_uri":"spotify:track:1"}, {"ts":"2021-05-01T10:00:00Z","ms_played":1},
        {"ts":"2021-05-01T10:01:00Z","ms_played":null,"spotify_track_uri":"spotify:track:2"}, "x"]"#;
    let (format, rows) = rows_of(json.as_bytes(), FileHint::UnknownJson);
    assert_eq!(rows.len(), 6);
    assert!(matches!(rows[3], Row::Skipped(SkipReason::NoTrack)) && matches!(rows[5], Row::Rejected(_)));
    assert_eq!(arrived(&sent(format, &rows)).unwrap(), rows);
    assert_eq!(arrived(&sent(format, &[])).unwrap(), []);
}

#[test]
fn personal_values_do_not_travel() {
    for fields in FieldSet::ALL {
        for (format, rows) in files_of(&write_extended(&ExportPlan::small(6).live(), fields).unwrap()) {
            let text = sent(format, &rows);
            for personal in PERSONAL_VALUES {
                assert!(!text.contains(personal), "{personal}");
            }
        }
    }
}

fn one_play() -> Value {
    let row = r#"{"ts":"2021-05-01T10:00:00Z","ms_played":1000,"spotify_track_uri":"spotify:track:1","reason_end":"trackdone",
        "offline_timestamp":1619863000}"#;
    let (format, rows) = rows_of(array(&[row]).as_bytes(), FileHint::UnknownJson);
    serde_json::from_str(&sent(format, &rows)).unwrap()
}

#[test]
fn what_no_file_could_say_is_refused_with_its_place() {
    let problem = |change: &dyn Fn(&mut Value)| {
        let mut slice = one_play();
        change(&mut slice);
        arrived(&slice.to_string()).unwrap_err().to_string()
    };
    for (position, value, says) in [
        (0, json!(1), "plays[0]: its track"),
        (1, json!(1), "plays[0]: its end"),
        (1, json!(1_619_863_200_001_i64), "plays[0]: its end"),
        (1, json!(NOW.0 + 2 * 86_400_000), "plays[0]: its end"),
        (2, json!(-1), "plays[0]: a length"),
        (2, json!(i64::MAX), "plays[0]: a length"),
        (3, json!(9), "plays[0]: its kind"),
        (4, json!(1), "plays[0]: an extended row"),
        (6, json!(1), "plays[0]: an extended row"),
        (8, json!(5), "plays[0]: its reason"),
    ] {
        let said = problem(&|slice| slice["plays"][0][position] = value.clone());
        assert!(said.starts_with(says), "{position}: {said}");
    }
    assert!(problem(&|slice| slice["format"] = json!("not_history")).starts_with("format"));
    assert!(problem(&|slice| slice["format"] = json!("account")).starts_with("plays[0]"));
    assert!(problem(&|slice| slice["tracks"][0] = json!([null, " ", "x", "y"])).starts_with("tracks[0]"));
    assert!(problem(&|slice| slice["tracks"][0] = json!(["http://x", null, 5, {}])).starts_with("tracks[0]"));
    assert!(problem(&|slice| slice["left_out"] = json!([[5, "no_track", null]])).starts_with("left_out[0]"));
    assert!(problem(&|slice| slice["left_out"] = json!([[0, "bored", null]])).starts_with("left_out[0]"));
    let many = problem(&|slice| slice["plays"] = Value::Array(vec![slice["plays"][0].clone(); MAX_SLICE_ROWS + 1]));
    assert!(many.contains("at most"), "{many}");
    for shape in ["{}", "[]", r#"{"format":"extended","tracks":[],"words":[],"plays":[],"left_out":[],"ip_addr":"1"}"#]
    {
        assert!(serde_json::from_str::<RowSlice<'_>>(shape).is_err(), "{shape}");
    }
}

#[test]
fn names_that_arrive_are_cut_as_those_of_a_file() {
    let mut slice = one_play();
    slice["tracks"][0] = json!([null, format!(" {}\u{0}", "n".repeat(5_000)), "a", null]);
    let rows = arrived(&slice.to_string()).unwrap();
    let Row::Play(play) = &rows[0] else { panic!() };
    assert_eq!(play.track.title.as_ref().unwrap().len(), 1_000);
    assert!(play.observation.song.is_some() && !play.observation.details.without_names);
}
