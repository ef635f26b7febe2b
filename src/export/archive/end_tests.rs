//! Finding the directory: end records, ZIP64, foreign bytes, and records that lie.

use super::{
    hand_made::{
        End, File, Zip64End, assert_every_entry_holds_its_name, concat, headers, local_files, names, plain, zip64,
    },
    *,
};
use crate::export::samples::{STORED, archive, directory, directory_in_chunks};

const FILES: [File<'_>; 3] = [
    File { name: b"MyData/endsong_0.json", flags: 0, extra: b"", is_zip64: false },
    File { name: b"MyData/endsong_1.json", flags: 0, extra: b"", is_zip64: true },
    File { name: b"c.json", flags: 0, extra: b"", is_zip64: false },
];

fn assert_read(bytes: &[u8]) {
    let found = directory(bytes).unwrap();
    assert_eq!(names(&found), ["MyData/endsong_0.json", "MyData/endsong_1.json", "c.json"]);
    assert_every_entry_holds_its_name(bytes, &found);
}

fn with_end(end: End) -> Vec<u8> {
    concat(&[&local_files(&FILES), &headers(&FILES), &end.record(b"")])
}

fn with_zip64_end(end: Zip64End) -> Vec<u8> {
    concat(&[&local_files(&FILES), &headers(&FILES), &end.records(b"", b"")])
}

#[test]
fn archives_with_and_without_zip64_records_are_read() {
    for comment in [&b""[..], b"A comment", &b"c".repeat(65_535)] {
        assert_read(&plain(&FILES, comment));
        assert_read(&zip64(&FILES, comment));
    }
}

#[test]
fn a_zip64_record_with_an_extension_is_found_where_it_is_said_to_be() {
    for extension_bytes in [1, 100, 100_000] {
        let end = Zip64End::of(&FILES).records(&vec![0; extension_bytes], b"");
        assert_read(&concat(&[&local_files(&FILES), &headers(&FILES), &end]));
    }
}

#[test]
fn a_zip64_record_with_an_extension_is_found_behind_foreign_bytes() {
    for comment in [&b""[..], &b"c".repeat(65_535)] {
        let end = Zip64End::of(&FILES).records(b"extension", comment);
        assert_read(&concat(&[b"in front", &local_files(&FILES), &headers(&FILES), &end]));
    }
}

#[test]
fn an_archive_with_more_entries_than_fit_sixteen_bits_has_a_zip64_record() {
    let names: Vec<String> = (0..66_000).map(|number| number.to_string()).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    let limits = Limits { max_entries: 100_000, ..Limits::default() };
    let bytes = archive(&files, STORED);
    for bytes in [bytes.clone(), concat(&[b"in front", &bytes])] {
        let (found, _) = directory_in_chunks(&bytes, 4_096, &limits).unwrap();
        assert_eq!(found.entries.len(), 66_000);
        assert!(found.entries.iter().zip(&names).all(|(entry, name)| entry.name == *name && entry.fault.is_none()));
    }
    assert_eq!(directory(&bytes), Err(ArchiveError::TooManyEntries { limit: 10_000 }));
}

#[test]
fn the_signature_may_stand_in_the_comment() {
    let other = [File { name: b"other.json", ..File::default() }];
    let empty_archive = End { disks: [0; 2], entries: 0, bytes: 0, offset: 0 }.record(b"");
    let split_archive = End { disks: [7, 7], ..End::of(&FILES) }.record(b"");
    let comments: [&[u8]; 6] = [
        b"PK\x05\x06",
        b"An end record begins with PK\x05\x06, and goes on with numbers.",
        &empty_archive,
        &split_archive,
        &End::of(&FILES).record(b""),
        &plain(&other, b""),
    ];
    for comment in comments {
        assert_read(&plain(&FILES, comment));
        assert_read(&zip64(&FILES, comment));
    }
    for comment in comments.iter().take(4) {
        assert_read(&concat(&[b"in front", &plain(&FILES, comment)]));
        assert_read(&concat(&[b"in front", &zip64(&FILES, comment)]));
    }
}

#[test]
fn foreign_bytes_in_front_shift_every_offset() {
    let other = [File { name: b"other.json", ..File::default() }];
    let twin = [File { name: b"MyData/endsong_X.json", ..FILES[0] }, FILES[1], FILES[2]];
    for foreign in [vec![b'#'], vec![0xFF; 100], vec![b'P'; 300_000], plain(&other, b""), plain(&twin, b"twin")] {
        assert_read(&concat(&[&foreign, &plain(&FILES, b"")]));
        assert_read(&concat(&[&foreign, &plain(&FILES, b"A comment")]));
        assert_read(&concat(&[&foreign, &zip64(&FILES, b"")]));
        assert_read(&concat(&[&foreign, &zip64(&FILES, b"A comment")]));
    }
}

#[test]
fn foreign_bytes_behind_the_archive_are_passed_over() {
    for foreign in [&b"\n"[..], &[0; 1_000]] {
        assert_read(&concat(&[&plain(&FILES, b"A comment"), foreign]));
        assert_read(&concat(&[&zip64(&FILES, b"A comment"), foreign]));
    }
}

#[test]
fn bytes_between_the_directory_and_its_end_record_are_passed_over() {
    for between in [&b"PK\x05\x05\x04\0sign"[..], b"?", &b"gap".repeat(100_000)] {
        let bytes = concat(&[&local_files(&FILES), &headers(&FILES), between, &End::of(&FILES).record(b"")]);
        assert_read(&bytes);
    }
}

#[test]
fn a_directory_of_the_wrong_size_is_found_by_its_offset() {
    let end = End::of(&FILES);
    let first_header_bytes = u32::try_from(headers(&FILES[..1]).len()).unwrap();
    for bytes in [0, 1, end.bytes - first_header_bytes, end.bytes - 1, end.bytes + 1, u32::MAX] {
        assert_read(&with_end(End { bytes, ..end }));
        assert_read(&with_zip64_end(Zip64End { bytes: bytes.into(), ..Zip64End::of(&FILES) }));
    }
    assert_read(&with_zip64_end(Zip64End { bytes: u64::MAX, ..Zip64End::of(&FILES) }));
}

#[test]
fn a_count_that_is_not_the_number_of_headers_is_damage() {
    for entries in [0, 1, 2, 4, 5, 0xFFFE, 0xFFFF] {
        assert_eq!(directory(&with_end(End { entries, ..End::of(&FILES) })), Err(ArchiveError::Damaged), "{entries}");
    }
    for entries in [0, 2, 4, 65_539, u64::MAX] {
        let bytes = with_zip64_end(Zip64End { entries, ..Zip64End::of(&FILES) });
        assert_eq!(directory(&bytes), Err(ArchiveError::Damaged), "{entries}");
    }
}

#[test]
fn a_directory_behind_its_end_record_is_damage() {
    let end = End::of(&FILES);
    let archive_bytes = u32::try_from(with_end(end).len()).unwrap();
    for offset in [end.offset + 1, end.offset + end.bytes, archive_bytes, archive_bytes + 1, u32::MAX] {
        assert_eq!(directory(&with_end(End { offset, ..end })), Err(ArchiveError::Damaged), "{offset}");
        let bytes = with_zip64_end(Zip64End { offset: offset.into(), ..Zip64End::of(&FILES) });
        assert_eq!(directory(&bytes), Err(ArchiveError::Damaged), "{offset}");
    }
    let bytes = with_zip64_end(Zip64End { offset: u64::MAX, ..Zip64End::of(&FILES) });
    assert_eq!(directory(&bytes), Err(ArchiveError::Damaged));
}

#[test]
fn a_zip64_record_that_cannot_be_found_is_damage() {
    let end = Zip64End::of(&FILES);
    // Longer than it says, the record is not found by where its locator is.
    for record_offset in [0, end.record_offset + 1, end.record_offset + 76, 1 << 40, u64::MAX] {
        let mut end = Zip64End { record_offset, ..end }.records(b"extension", b"");
        end[4] = 44;
        let bytes = concat(&[&local_files(&FILES), &headers(&FILES), &end]);
        assert_eq!(directory(&bytes), Err(ArchiveError::Damaged), "{record_offset}");
    }
}

#[test]
fn a_locator_needs_its_record() {
    let locator_and_end = &Zip64End::of(&[]).records(b"", b"")[56..];
    assert_eq!(directory(locator_and_end), Err(ArchiveError::Damaged));
}

#[test]
fn an_archive_of_several_files_is_called_so() {
    let end = End::of(&FILES);
    for disks in [[1, 0], [1, 1], [0, 1], [0xFFFF, 0xFFFF]] {
        assert_eq!(directory(&with_end(End { disks, ..end })), Err(ArchiveError::Split));
    }
    let end = Zip64End::of(&FILES);
    for end in [Zip64End { disks: [1, 1], ..end }, Zip64End { parts: 2, ..end }] {
        assert_eq!(directory(&with_zip64_end(end)), Err(ArchiveError::Split));
    }
    let first_of_several = concat(&[b"PK\x07\x08", &local_files(&FILES)]);
    assert_eq!(directory(&first_of_several), Err(ArchiveError::Split));
}

#[test]
fn an_archive_cut_anywhere_gives_an_error_or_the_directory() {
    for bytes in [plain(&FILES, b"A comment"), zip64(&FILES, b""), plain(&FILES, &plain(&FILES, b""))] {
        let whole = directory(&bytes).unwrap();
        for length in 0..bytes.len() {
            match directory(&bytes[..length]) {
                Ok(found) => assert_eq!(names(&found), names(&whole), "{length}"),
                Err(error) => assert!(matches!(error, ArchiveError::NotAZip | ArchiveError::Truncated), "{length}"),
            }
            // A file that turns out to be shorter than it was said to be.
            let mut reader = DirectoryReader::new(bytes.len() as u64, &Limits::default()).unwrap();
            assert_eq!(
                reader.feed(&bytes[..length]),
                if length == 0 { Err(ArchiveError::Truncated) } else { Ok(None) }
            );
        }
    }
}

#[test]
fn an_archive_cut_at_its_beginning_is_an_error() {
    for bytes in [plain(&FILES, b"A comment"), zip64(&FILES, b"")] {
        for dropped in 1..bytes.len() {
            assert!(directory(&bytes[dropped..]).is_err(), "{dropped}");
        }
    }
}

#[test]
fn a_tail_full_of_signatures_is_read_in_no_time() {
    for signature in [b"PK\x05\x06", b"PK\x01\x02", b"PK\x06\x07", b"PK\x06\x06"] {
        assert!(directory(&signature.repeat(20_000)).is_err());
        let foreign = signature.repeat(5_000);
        assert_read(&concat(&[&foreign, &plain(&FILES, b"")]));
        assert_read(&plain(&FILES, &foreign));
    }
}
