//! The JSON text of one file, as rows.
//!
//! Must stay true: every element counts as one row, kept or not; a file that is no history is recognised within its
//! first kilobytes and gives no rows at all.

use serde::de::IgnoredAny;

use super::{
    account::{AccountRow, Ordinals},
    elements::{Element, ElementReader},
    excerpt::excerpt,
    extended::ExtendedRow,
    file_error::FileError,
    format::{Format, SeenKeys},
    names::FileHint,
    raw_row::FileFacts,
    rows::{MAX_KEPT_REJECTS, Reject, RejectReason, Row},
    track_ids::TrackIds,
};

/// So much of a file is looked at for a row before it is taken for something else.
const UNDECIDED_MAX_BYTES: u64 = 64 * 1024;
const UNDECIDED_MAX_ELEMENTS: usize = 64;
/// A file of an export has 20,000 rows at most. A chunk of a few kilobytes can inflate to a million elements of no
/// use, and each is a row in memory.
const MAX_USELESS_ROWS: u32 = 50_000;

/// The JSON text of a file and what is known of it so far.
pub(super) struct Content {
    elements: ElementReader,
    format: Option<Format>,
    /// The elements before the one that tells the format.
    undecided: Vec<Reject>,
    /// Excerpts made so far.
    excerpts: u64,
    rows_read: u64,
    useless_rows: u32,
    /// Those of an extended history before the row to resume at, which are not looked at again.
    useless_before: u32,
    resume_at_row: u64,
    bytes: u64,
    hint: FileHint,
    facts: FileFacts,
    ids: TrackIds,
    ordinals: Ordinals,
}

impl Content {
    pub fn new(hint: FileHint, resume_at_row: u64, facts: FileFacts) -> Self {
        Self {
            elements: ElementReader::default(),
            format: None,
            undecided: Vec::new(),
            excerpts: 0,
            rows_read: 0,
            useless_rows: 0,
            useless_before: 0,
            resume_at_row,
            bytes: 0,
            hint,
            facts,
            ids: TrackIds::default(),
            ordinals: Ordinals::default(),
        }
    }

    /// Begins with tracks that are known from other files, or hands over those it knows.
    pub const fn track_ids(&mut self) -> &mut TrackIds {
        &mut self.ids
    }

    /// Says how many rows before the one to resume at were of no use.
    pub fn after_useless(&mut self, rows: u64) {
        self.useless_before = u32::try_from(rows).unwrap_or(u32::MAX);
    }

    pub const fn format(&self) -> Option<Format> {
        self.format
    }

    /// Whether it is clear that this is no history.
    pub const fn is_other(&self) -> bool {
        matches!(self.format, Some(Format::NotHistory))
    }

    /// The format, or what the beginning of the first row makes it look like.
    pub fn probable_format(&self) -> Option<Format> {
        self.format.or_else(|| SeenKeys::of_beginning(self.elements.unfinished()).format())
    }

    /// Whether the text ended too early.
    pub fn is_cut_off(&self) -> bool {
        self.elements.is_cut_off()
    }

    pub const fn rows_read(&self) -> u64 {
        self.rows_read
    }

    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes a piece of the text, at most some tens of kilobytes, and appends the rows it completes.
    pub fn feed(&mut self, piece: &[u8], rows: &mut Vec<Row>) -> Result<(), FileError> {
        if self.is_other() {
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        self.elements.feed(piece);
        self.read(rows)
    }

    /// No more text will come.
    pub fn end(&mut self, rows: &mut Vec<Row>) -> Result<(), FileError> {
        self.elements.end();
        self.read(rows)?;
        if self.format.is_none() && !self.undecided.is_empty() {
            self.format = Some(Format::NotHistory);
        }
        Ok(())
    }

    fn read(&mut self, rows: &mut Vec<Row>) -> Result<(), FileError> {
        if self.format.is_none() {
            self.decide(rows)?;
        }
        match self.format {
            Some(Format::Extended) => self.read_extended(rows),
            Some(Format::Account) => self.read_account(rows),
            Some(Format::NotHistory) | None => Ok(()),
        }
    }

    /// Looks for the object that tells the format. What comes before it is rejected once it is clear that this is a
    /// history at all.
    fn decide(&mut self, rows: &mut Vec<Row>) -> Result<(), FileError> {
        while let Some(element) = self.elements.next::<SeenKeys>()? {
            let reason = match element {
                Element::Object(keys) => {
                    if let Some(format) = keys.format() {
                        self.elements.put_back();
                        self.format = Some(format);
                        for reject in std::mem::take(&mut self.undecided) {
                            self.give(Row::Rejected(reject), rows)?;
                        }
                        return Ok(());
                    }
                    RejectReason::TimeMissing
                }
                Element::Foreign => RejectReason::NotAnObject,
                Element::Unreadable => RejectReason::Unreadable,
            };
            let reject = self.reject(reason);
            self.undecided.push(reject);
            if self.undecided.len() >= UNDECIDED_MAX_ELEMENTS || self.elements.read_bytes() > UNDECIDED_MAX_BYTES {
                self.format = Some(Format::NotHistory);
                return Ok(());
            }
        }
        if self.bytes > UNDECIDED_MAX_BYTES && self.probable_format().is_none() {
            self.format = Some(Format::NotHistory);
        }
        Ok(())
    }

    fn read_extended(&mut self, rows: &mut Vec<Row>) -> Result<(), FileError> {
        // A row of this format means the same whatever came before it: those already taken need not be understood.
        while self.rows_read < self.resume_at_row {
            if self.elements.next::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
            self.rows_read = self.rows_read.saturating_add(1);
        }
        while let Some(element) = self.elements.next::<ExtendedRow<'_>>()? {
            let row = match element {
                Element::Object(object) => object.into_row(&self.facts, &mut self.ids),
                Element::Foreign => RejectReason::NotAnObject.into(),
                Element::Unreadable => RejectReason::Unreadable.into(),
            };
            let row = self.with_excerpt(row);
            self.give(row, rows)?;
        }
        Ok(())
    }

    fn read_account(&mut self, rows: &mut Vec<Row>) -> Result<(), FileError> {
        while let Some(element) = self.elements.next::<AccountRow<'_>>()? {
            let row = match element {
                Element::Object(object) => object.into_row(&self.facts, self.hint, &mut self.ids, &mut self.ordinals),
                Element::Foreign => RejectReason::NotAnObject.into(),
                Element::Unreadable => RejectReason::Unreadable.into(),
            };
            let row = self.with_excerpt(row);
            self.give(row, rows)?;
        }
        Ok(())
    }

    fn with_excerpt(&mut self, row: Row) -> Row {
        match row {
            Row::Rejected(reject) => Row::Rejected(self.reject(reject.reason)),
            other => other,
        }
    }

    /// Refuses the element read last.
    fn reject(&mut self, reason: RejectReason) -> Reject {
        let number = self.rows_read.saturating_add(u64::try_from(self.undecided.len()).unwrap_or(u64::MAX));
        if self.excerpts >= MAX_KEPT_REJECTS || number < self.resume_at_row {
            return reason.into();
        }
        self.excerpts = self.excerpts.saturating_add(1);
        Reject { reason, excerpt: Some(excerpt(self.elements.last())) }
    }

    fn give(&mut self, row: Row, rows: &mut Vec<Row>) -> Result<(), FileError> {
        let is_extended = self.format == Some(Format::Extended);
        let was_counted = is_extended && self.rows_read < self.resume_at_row;
        if !matches!(row, Row::Play(_)) && !was_counted {
            self.useless_rows = self.useless_rows.saturating_add(1);
            let before = if is_extended { self.useless_before } else { 0 };
            if self.useless_rows.saturating_add(before) > MAX_USELESS_ROWS {
                return Err(FileError::TooManyUselessRows);
            }
        }
        if self.rows_read >= self.resume_at_row {
            rows.push(row);
        }
        self.rows_read = self.rows_read.saturating_add(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{
        FileEnd, HistoryFile, Limits,
        samples::{
            ACCOUNT, ACCOUNT_PODCAST, AUDIO, COMPLETE, FILE, NOW, R1, R2, R3, R4, array, mixed_account, mixed_extended,
            read, read_in_chunks,
        },
    };

    fn format_of(json: &str) -> Option<Format> {
        let mut file = HistoryFile::plain(FileHint::UnknownJson, 0, &Limits::default(), NOW, FILE);
        let mut rows = Vec::new();
        file.feed(json.as_bytes(), &mut rows).unwrap();
        file.finish(&mut rows).unwrap();
        file.format()
    }

    #[test]
    fn every_chunk_size_gives_the_same_rows() {
        for (json, count) in [(mixed_extended(), 11), (mixed_account(), 9)] {
            let (whole, end) = read(json.as_bytes(), AUDIO);
            assert_eq!((whole.len(), end), (count, Ok(COMPLETE)));
            for chunk_bytes in (1..200).chain([1_000, 4_096]) {
                assert_eq!(read_in_chunks(json.as_bytes(), AUDIO, chunk_bytes, 0), (whole.clone(), Ok(COMPLETE)));
            }
        }
    }

    #[test]
    fn resuming_at_any_row_gives_the_rows_that_are_left() {
        for json in [mixed_extended(), mixed_account()] {
            let (whole, _) = read(json.as_bytes(), AUDIO);
            for resume_at_row in 0..=whole.len() + 1 {
                for chunk_bytes in [1, 64, 10_000] {
                    let (rows, end) = read_in_chunks(json.as_bytes(), AUDIO, chunk_bytes, resume_at_row as u64);
                    assert_eq!(rows, whole.get(resume_at_row..).unwrap_or_default(), "{resume_at_row}");
                    assert_eq!(end, Ok(COMPLETE));
                }
            }
        }
    }

    #[test]
    fn the_format_is_told_by_the_content() {
        assert_eq!(format_of(&array(&[R4])), Some(Format::Extended));
        assert_eq!(format_of(&array(&[ACCOUNT])), Some(Format::Account));
        assert_eq!(format_of(&array(&["null", "{}", ACCOUNT_PODCAST])), Some(Format::Account));
        assert_eq!(format_of(r#"{"playlists":[{"name":"a","items":[]}]}"#), Some(Format::NotHistory));
        assert_eq!(format_of(r#"[{"searchTime":"2024-01-01","searchQuery":"a"}]"#), Some(Format::NotHistory));
        assert_eq!(format_of("<html><body>{</body></html>"), Some(Format::NotHistory));
        assert_eq!(format_of("[]"), None);
        assert_eq!(format_of(""), None);
    }

    #[test]
    fn a_large_file_of_something_else_is_recognised_early() {
        let items = r#"{"track":{"trackName":"a","artistName":"b"},"addedDate":"2020-01-01"},"#.repeat(20_000);
        for json in [format!(r#"{{"playlists":[{items}{{}}]}}"#), format!("[{items}{{}}]"), "nonsense ".repeat(90_000)]
        {
            let mut file = HistoryFile::plain(FileHint::UnknownJson, 0, &Limits::default(), NOW, FILE);
            let mut rows = Vec::new();
            let mut fed = 0;
            for chunk in json.as_bytes().chunks(4_096) {
                if !file.wants_more() {
                    break;
                }
                file.feed(chunk, &mut rows).unwrap();
                fed += chunk.len();
            }
            assert_eq!(file.format(), Some(Format::NotHistory));
            assert!(fed <= 140_000, "{fed}");
            assert_eq!(file.finish(&mut rows), Ok(COMPLETE));
            assert!(rows.is_empty());
        }
    }

    #[test]
    fn a_cut_off_file_gives_the_rows_before_the_cut() {
        let json = array(&[R1, R2, R3]);
        let third = json.rfind("{\"ts\"").unwrap();
        for length in [third - 3, third + 1, third + 300, json.len() - 3] {
            let (rows, end) = read(&json.as_bytes()[..length], AUDIO);
            assert_eq!(rows.len(), if length == json.len() - 3 { 3 } else { 2 });
            assert_eq!(end, Ok(FileEnd { complete: false, note: Some(FileError::Truncated) }));
        }
    }

    #[test]
    fn bad_utf8_in_a_field_costs_its_row() {
        let mut json = array(&[R1, R2, R3]).into_bytes();
        let at = json.windows(4).position(|window| window == b"Nude").unwrap();
        json[at] = 0xFF;
        let (rows, end) = read(&json, AUDIO);
        assert_eq!(end, Ok(COMPLETE));
        assert!(matches!(
            rows[..],
            [Row::Play(_), Row::Rejected(Reject { reason: RejectReason::Unreadable, .. }), Row::Play(_)]
        ));
    }

    #[test]
    fn an_enormous_row_ends_the_file_with_the_rows_before_it() {
        let giant = R1.replace("Let Down", &"x".repeat(1_100_000));
        let (rows, end) = read_in_chunks(array(&[R1, &giant, R1]).as_bytes(), AUDIO, 50_000, 0);
        assert_eq!((rows.len(), end), (1, Err(FileError::ElementTooLarge)));
    }

    #[test]
    fn a_file_of_endless_useless_rows_does_not_fill_the_memory() {
        let json = format!("[{R1}{}]", ",0".repeat(200_000));
        let (rows, end) = read(json.as_bytes(), AUDIO);
        assert_eq!((rows.len(), end), (50_001, Err(FileError::TooManyUselessRows)));
    }
}
