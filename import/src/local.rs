//! The export on this machine.
//!
//! Must stay true: what is no export is told before anything is sent; memory holds one piece of the file, however large
//! it is.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use listenlog::{
    domain::hexadecimal,
    export::{DirectoryReader, Entry, FileEnd, FileError, FileHint, Format, HistoryFile, Limits, Row, sniff},
};
use sha2::{Digest, Sha256};

use crate::{clock, complaint::Complaint, progress::grouped};

const PIECE_BYTES: usize = 64 * 1024;
/// Bytes of a file that are looked at to tell whether it is history.
const SNIFFED_BYTES: u64 = 16 * 1024;

/// An export that can be read and holds history.
pub struct LocalArchive {
    path: PathBuf,
    /// The last part of the path.
    pub filename: String,
    pub bytes: u64,
    /// Hexadecimal.
    pub sha256: String,
    /// Those that may hold history.
    pub files: Vec<LocalFile>,
    limits: Limits,
}

/// A file of the export.
pub struct LocalFile {
    /// Position in the archive's directory.
    pub index: usize,
    pub name: String,
    pub inflated_bytes: u64,
    hint: FileHint,
    entry: Entry,
}

impl LocalArchive {
    /// Reads the directory and the checksum.
    pub fn open(path: &Path) -> Result<Self, Complaint> {
        let shown = path.display();
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Complaint::usage(format!("There is no file {shown}.")),
            io::ErrorKind::PermissionDenied => Complaint::usage(format!("{shown} may not be read by you.")),
            _ => Complaint::usage(format!("{shown} cannot be read: {error}.")),
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(Complaint::usage(format!(
                "{shown} is a folder; say the ZIP as Spotify handed it out, or zip the folder."
            )));
        }
        let limits = Limits::default();
        let bytes = metadata.len();
        let entries = directory(&mut file, bytes, &limits)
            .map_err(unreadable)?
            .map_err(|sentence| Complaint::usage(format!("{shown}: {sentence}")))?;
        let files = history_files(&mut file, entries).map_err(unreadable)?;
        if files.is_empty() {
            return Err(Complaint::usage(format!(
                "{shown} holds no listening history: Spotify's archives have files such as \
                 Streaming_History_Audio_2019-2020_1.json or StreamingHistory_music_0.json in them."
            )));
        }
        let sha256 = checksum(&mut file).map_err(unreadable)?;
        let filename = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { path: path.to_owned(), filename, bytes, sha256, files, limits })
    }

    pub fn described(&self) -> String {
        let count = self.files.len();
        let files = if count == 1 { "file" } else { "files" };
        format!("{}: {} bytes, {count} {files} that may hold history.", self.filename, grouped(self.bytes))
    }

    /// Opens the archive for sending it whole.
    pub fn reader(&self) -> Result<File, Complaint> {
        File::open(&self.path).map_err(|error| self.gone(&error))
    }

    /// Reads a file's rows from `resume_at_row` on. The inner error says why the file cannot be read at all.
    ///
    /// `inflated_before`: what the files before it came to, which counts towards the archive's limit.
    pub fn rows(
        &self,
        file: &LocalFile,
        resume_at_row: u64,
        inflated_before: u64,
    ) -> Result<Result<RowReader, FileError>, Complaint> {
        let mut source = self.reader()?;
        let range = file.entry.range();
        source.seek(SeekFrom::Start(range.offset)).map_err(|error| self.gone(&error))?;
        let limits = self.limits.after(inflated_before);
        let history = HistoryFile::new(&file.entry, file.hint, resume_at_row, &limits, clock::unix_now(), None);
        Ok(history.map(|history| RowReader { source: source.take(range.length), piece: vec![0; PIECE_BYTES], history }))
    }

    pub fn gone(&self, error: &io::Error) -> Complaint {
        Complaint::usage(format!("{} can no longer be read: {error}.", self.path.display()))
    }
}

/// Reads the rows of one file.
pub struct RowReader {
    source: io::Take<File>,
    piece: Vec<u8>,
    history: HistoryFile,
}

/// What a step of reading has come to.
pub enum Step {
    /// There is more to read.
    Further,
    /// The file is over, in this way.
    Over(Result<FileEnd, FileError>),
}

impl RowReader {
    /// Appends some more rows.
    pub fn step(&mut self, rows: &mut Vec<Row>) -> io::Result<Step> {
        let length = if self.history.wants_more() { self.source.read(&mut self.piece)? } else { 0 };
        if length == 0 {
            return Ok(Step::Over(self.history.finish(rows)));
        }
        Ok(match self.history.feed(self.piece.get(..length).unwrap_or_default(), rows) {
            Ok(()) => Step::Further,
            Err(error) => Step::Over(Err(error)),
        })
    }

    pub const fn format(&self) -> Option<Format> {
        self.history.format()
    }

    pub const fn inflated_bytes(&self) -> u64 {
        self.history.inflated_bytes()
    }
}

/// The entries of the archive; the inner error is a sentence about the archive itself.
fn directory(file: &mut File, bytes: u64, limits: &Limits) -> io::Result<Result<Vec<Entry>, String>> {
    let mut reader = match DirectoryReader::new(bytes, limits) {
        Ok(reader) => reader,
        Err(error) => return Ok(Err(error.to_string())),
    };
    while let Some(range) = reader.wants() {
        let found = read_range(file, range.offset, range.length)?;
        match reader.feed(&found) {
            Ok(Some(directory)) => return Ok(Ok(directory.entries)),
            Ok(None) => {}
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
    Ok(Err("The ZIP archive changed while it was read.".to_owned()))
}

fn read_range(file: &mut File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.by_ref().take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As the Worker chooses them: files named like history and all other JSON, provided that one of them is history.
fn history_files(file: &mut File, entries: Vec<Entry>) -> io::Result<Vec<LocalFile>> {
    let mut files: Vec<LocalFile> = entries
        .into_iter()
        .map(|entry| LocalFile {
            index: entry.index,
            name: entry.name.clone(),
            inflated_bytes: entry.uncompressed_bytes,
            hint: FileHint::from_name(&entry.name),
            entry,
        })
        .filter(|file| file.hint != FileHint::NotHistory)
        .collect();
    let mut has_history = files.iter().any(|file| file.hint.is_history());
    for candidate in &files {
        if has_history {
            break;
        }
        let range = candidate.entry.range();
        let beginning = read_range(file, range.offset, range.length.min(SNIFFED_BYTES))?;
        has_history = matches!(sniff(&candidate.entry, &beginning), Ok(Some(Format::Extended | Format::Account)));
    }
    if !has_history {
        files.clear();
    }
    Ok(files)
}

fn checksum(file: &mut File) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            break;
        }
        hash.update(piece.get(..length).unwrap_or_default());
    }
    Ok(hexadecimal::digits(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use listenlog_workbench::generator::{ExportPlan, FieldSet, write_extended};

    use super::*;
    use crate::complaint::Exit;

    struct Folder(PathBuf);

    impl Folder {
        fn of(test: &str) -> Self {
            let path = std::env::temp_dir().join(format!("listenlog-import-{}-{test}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn with(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.0.join(name);
            File::create(&path).unwrap().write_all(bytes).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn what_is_no_export_is_told_in_a_sentence() {
        let folder = Folder::of("no-export");
        let whole = write_extended(&ExportPlan::small(1).live(), FieldSet::R4).unwrap();
        let cases = [
            (folder.0.join("missing.zip"), "There is no file"),
            (folder.0.clone(), "is a folder"),
            (folder.with("empty.zip", b""), "not a ZIP"),
            (folder.with("notes.zip", &[b'a'; 5_000]), "not a ZIP"),
            (folder.with("half.zip", &whole[..whole.len() / 2]), "cut off"),
        ];
        for (path, says) in cases {
            let complaint = LocalArchive::open(&path).err().unwrap();
            assert!(complaint.sentence.contains(says), "{}: {}", path.display(), complaint.sentence);
            assert_eq!(complaint.exit, Exit::Usage);
        }
    }

    #[test]
    fn an_export_is_described_and_its_rows_are_read_from_any_row_on() {
        let folder = Folder::of("export");
        let bytes = write_extended(&ExportPlan::small(1).live(), FieldSet::R4).unwrap();
        let archive = LocalArchive::open(&folder.with("my_spotify_data.zip", &bytes)).unwrap();
        assert_eq!((archive.filename.as_str(), archive.bytes), ("my_spotify_data.zip", bytes.len() as u64));
        assert_eq!(archive.sha256.len(), 64);
        let count = |from: u64| {
            let mut reader = archive.rows(&archive.files[0], from, 0).unwrap().unwrap();
            let mut rows = Vec::new();
            while matches!(reader.step(&mut rows).unwrap(), Step::Further) {}
            rows.len()
        };
        assert_eq!(count(0), count(7) + 7);
    }
}
