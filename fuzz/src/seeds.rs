//! What fuzzing begins with: small exports of every kind.

use std::io::{Cursor, Read, Write};

use listenlog::{
    domain::instant::Millis,
    export::{FileHint, Format, HistoryFile, Limits, write_slice},
};
use listenlog_workbench::generator::{
    AccountLayout, ArchiveError, ExportPlan, FieldSet, write_account, write_endsong, write_extended,
};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

/// Bytes to begin with.
pub struct Seed {
    /// `archive`, `history` or `slice`.
    pub target: &'static str,
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Plays of each seed: short inputs are changed more often, and nothing is found in the thousandth row.
const PLAYS: usize = 6;

/// Rows that real exports do not have.
const ODD: [&str; 5] = [
    "[{\"ts\":\"2019-01-01T00:00:00Z\",\"ms_played\":1,\"spotify_track_uri\":\"spotify:track:1\"},null,7,{\"ts\":1e400},[[],{}]]",
    "{\"ts\":\"2019-01-01 00:00:00 UTC\",\"ms_played\":\"12.5\",\"master_metadata_track_name\":\"\\u0000\\ud83d\\ude00\"}\n{\"ts\":1}",
    "\u{feff}[{\"endTime\":\"2023-01-02 03:04\",\"msPlayed\":-1,\"trackName\":\"a\",\"artistName\":\"b\"}][{\"endTime\":5}",
    "{\"endTime\":\"2023-01-02 03:04\",\"msPlayed\":1,\"episodeName\":\"a\",\"podcastName\":\"b\"},{,{\"endTime\":\"2023",
    "{\"playlists\":[{\"name\":\"x\",\"items\":[1,2,3]}]}",
];

/// All seeds.
///
/// # Errors
/// When an archive cannot be written, which is a defect of the generator.
pub fn all() -> Result<Vec<Seed>, ArchiveError> {
    let plays: Vec<_> = ExportPlan::small(1).live().into_iter().take(PLAYS).collect();
    let mut archives = vec![("endsong.zip".to_owned(), write_endsong(&plays)?)];
    for fields in FieldSet::ALL {
        archives.push((format!("{fields:?}.zip"), write_extended(&plays, fields)?));
    }
    for layout in [AccountLayout::Old, AccountLayout::New] {
        archives.push((format!("{layout:?}.zip"), write_account(&plays, layout, i64::MIN..i64::MAX)?));
    }
    let mut texts: Vec<(String, Vec<u8>)> =
        ODD.iter().enumerate().map(|(number, text)| (format!("odd-{number}.json"), text.as_bytes().to_vec())).collect();
    for (name, archive) in &archives {
        for (file, text) in unpacked(archive)? {
            texts.push((format!("{name}-{}", file.replace(['/', ' '], "-")), text));
        }
    }
    let mut seeds = Vec::new();
    for (number, (name, text)) in texts.iter().enumerate() {
        // Stored files are changed without breaking a compressed stream first.
        archives.push((format!("stored-{number}.zip"), stored("endsong_0.json", text)?));
        let hint = u8::try_from(number % 5).unwrap_or_default();
        seeds.push(Seed { target: "history", name: name.clone(), bytes: [&[hint], text.as_slice()].concat() });
        if let Some(bytes) = slice_of(text) {
            seeds.push(Seed { target: "slice", name: name.clone(), bytes });
        }
    }
    seeds.extend(archives.into_iter().map(|(name, bytes)| Seed { target: "archive", name, bytes }));
    Ok(seeds)
}

fn unpacked(archive: &[u8]) -> Result<Vec<(String, Vec<u8>)>, ArchiveError> {
    let mut zip = ZipArchive::new(Cursor::new(archive))?;
    let mut files = Vec::new();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index)?;
        let name = entry.name()?.into_owned();
        let mut text = Vec::new();
        entry.read_to_end(&mut text)?;
        if FileHint::from_name(&name).is_history() {
            files.push((name, text));
        }
    }
    Ok(files)
}

fn stored(name: &str, text: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(name, SimpleFileOptions::default().compression_method(CompressionMethod::Stored))?;
    zip.write_all(text)?;
    Ok(zip.finish()?.into_inner())
}

fn slice_of(text: &[u8]) -> Option<Vec<u8>> {
    let mut file = HistoryFile::plain(FileHint::UnknownJson, 0, &Limits::default(), Millis(1_795_435_200_000), None);
    let mut rows = Vec::new();
    // Odd texts fail; what came before is a seed all the same.
    _ = file.feed(text, &mut rows);
    _ = file.finish(&mut rows);
    let format = file.format().filter(|format| *format != Format::NotHistory)?;
    serde_json::to_vec(&write_slice(format, &rows)).ok()
}
