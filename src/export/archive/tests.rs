//! Archives as writers make them, and what is wrong with some.

use std::io::{Cursor, Write};

use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;
use crate::export::samples::{
    DEFLATED, R1, STORED, archive, array, bytes_of, directory, directory_in_chunks, read_entry,
};

fn names(directory: &Directory) -> Vec<&str> {
    directory.entries.iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn the_directory_of_a_small_archive_takes_one_range() {
    let bytes = archive(&[("MyData/", b""), ("MyData/endsong_0.json", b"[]"), ("a.txt", b"")], DEFLATED);
    for chunk_bytes in [1, 7, 1_000, usize::MAX] {
        let (directory, ranges) = directory_in_chunks(&bytes, chunk_bytes, &Limits::default()).unwrap();
        assert_eq!(ranges, 1);
        assert_eq!(names(&directory), ["MyData/", "MyData/endsong_0.json", "a.txt"]);
        assert!(directory.entries[0].is_directory());
        assert!(directory.entries.iter().all(|entry| entry.fault.is_none() && entry.range().length > 0));
    }
}

#[test]
fn a_directory_larger_than_the_tail_takes_a_few_ranges() {
    let names: Vec<String> = (0..5_000).map(|number| format!("some/folder/of/an/archive/{number}.json")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"[]".as_slice())).collect();
    let bytes = archive(&files, STORED);
    let (directory, ranges) = directory_in_chunks(&bytes, 4_096, &Limits::default()).unwrap();
    assert_eq!(directory.entries.len(), 5_000);
    assert!(ranges <= 4, "{ranges}");
    let few = Limits { max_entries: 4_999, ..Limits::default() };
    assert_eq!(directory_in_chunks(&bytes, usize::MAX, &few), Err(ArchiveError::TooManyEntries { limit: 4_999 }));
}

#[test]
fn a_directory_of_many_megabytes_is_refused() {
    let name = "n".repeat(60_000);
    let names: Vec<String> = (0..80).map(|number| format!("{name}{number}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    assert_eq!(directory(&archive(&files, STORED)), Err(ArchiveError::DirectoryTooLarge));
}

fn zipped(options: SimpleFileOptions, comment: Vec<u8>) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.set_raw_comment(comment.into_boxed_slice()).unwrap();
    zip.start_file("endsong_0.json", options).unwrap();
    zip.write_all(array(&[R1]).as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

fn assert_one_row(bytes: &[u8]) {
    let directory = directory(bytes).unwrap();
    let (rows, end) = read_entry(bytes, &directory.entries[0]);
    assert_eq!((rows.len(), end.map(|end| end.complete)), (1, Ok(true)));
}

#[test]
fn zip64_long_comments_and_foreign_bytes_in_front_are_read() {
    let plain = SimpleFileOptions::default();
    assert_one_row(&zipped(plain.large_file(true), Vec::new()));
    assert_one_row(&zipped(plain, vec![b'c'; 65_535]));
    assert_one_row(&[b"in front".to_vec(), zipped(plain, Vec::new())].concat());
}

#[test]
fn an_empty_archive_has_no_entries() {
    assert_eq!(directory(&archive(&[], STORED)).unwrap().entries, []);
}

#[test]
fn what_is_no_archive_is_called_so() {
    for bytes in [&b""[..], b"PK", b"<html>Please log in to download your data</html>"] {
        assert_eq!(directory(bytes), Err(ArchiveError::NotAZip));
    }
    assert_eq!(directory(&vec![0; 100_000]), Err(ArchiveError::NotAZip));
}

#[test]
fn an_archive_without_its_end_is_cut_off() {
    let bytes = archive(&[("endsong_0.json", array(&[R1; 50]).as_bytes())], STORED);
    for length in [30, 1_000, bytes.len() - 30, bytes.len() - 1] {
        assert_eq!(directory(&bytes[..length]), Err(ArchiveError::Truncated), "{length}");
    }
    let mut reader = DirectoryReader::new(bytes.len() as u64, &Limits::default()).unwrap();
    assert_eq!(reader.feed(&[]), Err(ArchiveError::Truncated));
    assert_eq!(reader.wants(), None);
}

#[test]
fn encrypted_and_strange_entries_are_faults_of_their_own() {
    let mut bytes = archive(&[("a.json", b"[]"), ("b.json", b"[]"), ("c.json", b"[]")], STORED);
    let headers: Vec<usize> = (0..bytes.len() - 4).filter(|at| &bytes[*at..at + 4] == b"PK\x01\x02").collect();
    bytes[headers[0] + 8] |= 1;
    bytes[headers[1] + 10] = 12;
    let directory = directory(&bytes).unwrap();
    let faults: Vec<_> = directory.entries.iter().map(|entry| entry.fault).collect();
    assert_eq!(faults, [Some(EntryFault::Encrypted), Some(EntryFault::UnsupportedMethod), None]);
}

#[test]
fn entries_that_overlap_or_lie_outside_are_faults_of_their_own() {
    let mut bytes = archive(&[("a.json", b"[]"), ("b.json", b"[]"), ("c.json", b"[]"), ("d.json", b"[]")], STORED);
    let headers: Vec<usize> = (0..bytes.len() - 4).filter(|at| &bytes[*at..at + 4] == b"PK\x01\x02").collect();
    // The second says it begins where the first does; the others that they begin behind the archive's end.
    bytes[headers[1] + 42..headers[1] + 46].fill(0);
    bytes[headers[2] + 42..headers[2] + 46].copy_from_slice(&[0, 0, 1, 0]);
    bytes[headers[3] + 42..headers[3] + 46].copy_from_slice(&[0, 0, 2, 0]);
    let directory = directory(&bytes).unwrap();
    let faults: Vec<_> = directory.entries.iter().map(|entry| entry.fault).collect();
    assert_eq!(faults, [Some(EntryFault::Misplaced), None, Some(EntryFault::Misplaced), Some(EntryFault::Misplaced)]);
    assert!(!bytes_of(&bytes, &directory.entries[2]).is_empty());
}

#[test]
fn a_zip64_directory_beyond_any_file_is_damage() {
    let mut bytes = b"PK\x06\x06".to_vec();
    bytes.extend([0; 44]);
    bytes.extend(i64::MIN.to_le_bytes());
    bytes.extend(b"PK\x06\x07");
    bytes.extend([0; 16]);
    bytes.extend(b"PK\x05\x06");
    bytes.extend([0; 18]);
    assert_eq!(directory(&bytes), Err(ArchiveError::Damaged));
}

#[test]
fn names_of_old_archives_are_decoded() {
    let mut bytes = archive(&[("a?.json", b"[]")], STORED);
    for byte in &mut bytes {
        if *byte == b'?' {
            // An o with diaeresis in code page 437.
            *byte = 0x94;
        }
    }
    assert_eq!(names(&directory(&bytes).unwrap()), ["aö.json"]);
}
