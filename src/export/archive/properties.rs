//! Whatever the archive: what another reader finds in a sound one is found, and no damage leads to a panic.

use std::{
    collections::BTreeMap,
    io::{Cursor, Write},
};

use proptest::prelude::*;
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::*;
use crate::export::samples::{DEFLATED, STORED, bytes_of, directory, directory_in_chunks};

#[derive(Clone, Debug)]
struct Content {
    bytes: Vec<u8>,
    is_deflated: bool,
    is_large: bool,
}

fn content() -> impl Strategy<Value = Content> {
    (prop::collection::vec(any::<u8>(), 0..100), any::<bool>(), any::<bool>())
        .prop_map(|(bytes, is_deflated, is_large)| Content { bytes, is_deflated, is_large })
}

fn files() -> impl Strategy<Value = BTreeMap<String, Content>> {
    prop::collection::btree_map("(MyData/)?[a-zß-ž一-三 ]{1,12}(\\.json)?", content(), 0..8)
}

fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..60)
}

/// Foreign bytes, then an archive with a comment; with ZIP64 records if there is something to extend them by.
fn archive_of(files: &BTreeMap<String, Content>, foreign: &[u8], comment: &[u8], extension: Option<&[u8]>) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.set_raw_comment(comment.into()).unwrap();
    if let Some(extension) = extension {
        zip.set_raw_zip64_extensible_data_sector(extension.into());
    }
    for (name, content) in files {
        let method = if content.is_deflated { DEFLATED } else { STORED };
        let options = SimpleFileOptions::default().compression_method(method).large_file(content.is_large);
        zip.start_file(name.as_str(), options).unwrap();
        zip.write_all(&content.bytes).unwrap();
    }
    [foreign, &zip.finish().unwrap().into_inner()].concat()
}

/// Name, compressed and uncompressed size.
type Facts = (String, u64, u64);

fn read_by_zip(bytes: &[u8]) -> Vec<Facts> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut facts = Vec::new();
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index).unwrap();
        facts.push((file.name().unwrap().into_owned(), file.compressed_size(), file.size()));
    }
    facts
}

fn facts(directory: &Directory) -> Vec<Facts> {
    let facts = |entry: &Entry| (entry.name.clone(), entry.compressed_bytes, entry.uncompressed_bytes);
    directory.entries.iter().map(facts).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_sound_archive_is_read_as_another_reader_reads_it(
        files in files(), foreign in some_bytes(), comment in some_bytes(), is_zip64 in any::<bool>(),
        chunk_bytes in 1_usize..300
    ) {
        let bytes = archive_of(&files, &foreign, &comment, is_zip64.then_some(b"extension"));
        prop_assert_eq!(bytes.windows(4).any(|window| window == b"PK\x06\x06"), is_zip64);
        let (found, _) = directory_in_chunks(&bytes, chunk_bytes, &Limits::default()).unwrap();
        prop_assert_eq!(facts(&found), read_by_zip(&bytes));
        for entry in &found.entries {
            prop_assert_eq!(entry.fault, None);
            prop_assert!(bytes_of(&bytes, entry).starts_with(b"PK\x03\x04"));
        }
    }

    #[test]
    fn a_damaged_archive_never_panics_and_never_depends_on_its_chunks(
        files in files(), foreign in some_bytes(), extension in prop::option::of(some_bytes()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        in_last_bytes in prop::option::of(22_usize..300), cut in prop::option::of(any::<prop::sample::Index>()),
        chunk_bytes in 1_usize..300
    ) {
        let mut bytes = archive_of(&files, &foreign, b"", extension.as_deref());
        let from = in_last_bytes.map_or(0, |last| bytes.len().saturating_sub(last));
        for (at, value) in changes {
            let at = from + at.index(bytes.len() - from);
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let found = directory(&bytes);
        let in_chunks = directory_in_chunks(&bytes, chunk_bytes, &Limits::default());
        prop_assert_eq!(&in_chunks.map(|(directory, _)| directory), &found);
        for entry in found.iter().flat_map(|directory| &directory.entries) {
            prop_assert!(entry.range().length > 0 && entry.range().end() <= bytes.len() as u64);
        }
    }
}
