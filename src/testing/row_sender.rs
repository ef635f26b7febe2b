//! Sends an archive as a person's program does that unpacks it by itself: slice by slice, and again what was not answered.

use serde_json::{Value, json};

use super::test_app::{Answer, NOW, TestApp};
use crate::export::{Directory, DirectoryReader, Entry, FileHint, Format, HistoryFile, Limits, Row, write_slice};

/// Requests for one import before the test gives up.
const PATIENCE: usize = 10_000;

/// An import that is sent from here.
pub struct RowSender<'a> {
    app: &'a TestApp,
    pub id: i64,
    requests: usize,
}

/// The entries of an archive in memory.
pub fn entries(archive: &[u8]) -> Vec<Entry> {
    let mut reader = DirectoryReader::new(archive.len() as u64, &Limits::default()).unwrap();
    loop {
        let range = reader.wants().unwrap();
        if let Some(Directory { entries }) = reader.feed(&archive[bytes(range.offset)..bytes(range.end())]).unwrap() {
            return entries
                .into_iter()
                .filter(|entry| FileHint::from_name(&entry.name) != FileHint::NotHistory)
                .collect();
        }
    }
}

/// The rows of an entry, and its format.
pub fn rows_of(archive: &[u8], entry: &Entry) -> (Option<Format>, Vec<Row>) {
    let hint = FileHint::from_name(&entry.name);
    let mut file = HistoryFile::new(entry, hint, 0, &Limits::default(), NOW, None).unwrap();
    let mut rows = Vec::new();
    let range = entry.range();
    file.feed(&archive[bytes(range.offset)..bytes(range.end())], &mut rows).unwrap();
    file.finish(&mut rows).unwrap();
    (file.format().filter(|format| *format != Format::NotHistory), rows)
}

fn bytes(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

impl<'a> RowSender<'a> {
    /// Opens the import, or finds it again.
    pub fn open(app: &'a TestApp, user: i64, archive: &[u8]) -> Self {
        let mut sender = Self { app, id: 0, requests: 0 };
        sender.id = sender.opened(user, archive)["id"].as_i64().unwrap();
        sender
    }

    /// What the Worker says of the import when it is opened.
    pub fn opened(&mut self, user: i64, archive: &[u8]) -> Value {
        self.insist(&format!("/admin/users/{user}/row-imports"), &opening(archive)).json()
    }

    /// Sends everything, `rows_at_once` rows in a slice, and asks for the recount. The job as it ended.
    pub fn send_all(&mut self, archive: &[u8], rows_at_once: usize) -> Value {
        self.send_rows(archive, rows_at_once);
        self.insist(&format!("/admin/import-jobs/{}/verify", self.id), &Value::Null);
        self.app.import_job(self.id)
    }

    /// Sends every file to its end, `rows_at_once` rows in a slice.
    pub fn send_rows(&mut self, archive: &[u8], rows_at_once: usize) {
        for entry in entries(archive) {
            let (format, rows) = rows_of(archive, &entry);
            let mut from = 0;
            for some in rows.chunks(rows_at_once) {
                from += self.insist_on_slice(&slice(&entry, from, format, some));
            }
            let end = json!({"file": entry.index, "from": from, "bytes_read": entry.uncompressed_bytes, "slice": null,
                "end": {"status": "done", "format": format.map_or("not_history", Format::name), "note": null}});
            self.insist_on_slice(&end);
        }
    }

    /// Sends a slice until it is answered; how many rows it had.
    fn insist_on_slice(&mut self, body: &Value) -> u64 {
        let path = format!("/admin/import-jobs/{}/slices", self.id);
        let answer = self.insist(&path, body);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.bytes));
        let slice = &body["slice"];
        ["plays", "left_out"].iter().map(|part| slice[part].as_array().map_or(0, Vec::len) as u64).sum()
    }

    fn insist(&mut self, path: &str, body: &Value) -> Answer {
        loop {
            let answer = self.app.post(path, body);
            if !answer.status.is_server_error() {
                return answer;
            }
            // As if the connection had broken: the database is there again at the next try.
            self.app.db.heal();
            self.requests += 1;
            assert!(self.requests < PATIENCE, "{path} never succeeds");
        }
    }
}

/// The body of the request that opens an import.
pub fn opening(archive: &[u8]) -> Value {
    let files: Vec<Value> = entries(archive)
        .iter()
        .map(|entry| json!({"index": entry.index, "name": entry.name, "inflated_bytes": entry.uncompressed_bytes}))
        .collect();
    json!({"filename": "my_spotify_data.zip", "file_size_bytes": archive.len(), "archive_sha256": sha256(archive),
        "files": files})
}

/// The body of a slice request.
pub fn slice(entry: &Entry, from: u64, format: Option<Format>, rows: &[Row]) -> Value {
    let slice = format.map(|format| serde_json::to_value(write_slice(format, rows)).unwrap());
    json!({"file": entry.index, "from": from, "bytes_read": 0, "slice": slice, "end": null})
}

fn sha256(archive: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    crate::domain::hexadecimal::digits(&Sha256::digest(archive))
}
