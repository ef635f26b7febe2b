//! Random and randomly changed files: whatever comes, reading ends without a panic, and the chunks do not matter.

use std::io::{Cursor, Write};

use proptest::prelude::*;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{
    FileError, FileHint, HistoryFile, Limits,
    samples::{
        AUDIO, NOW, R1, R4, STORED, array, bytes_of, directory, mixed_account, mixed_extended, read, read_in_chunks,
        run,
    },
    sniff,
};

/// Reads all there is of what may be an archive, whatever happens.
fn read_anything(bytes: &[u8], chunk_bytes: usize) {
    let Ok(directory) = directory(bytes) else { return };
    for entry in &directory.entries {
        let hint = FileHint::from_name(&entry.name);
        let bytes = bytes_of(bytes, entry);
        if let Ok(file) = HistoryFile::new(entry, hint, 1, &Limits::default(), NOW, None) {
            drop(run(file, bytes, chunk_bytes));
        }
        assert_ne!(sniff(entry, bytes), Err(FileError::NotJson));
    }
}

fn mutated(mut bytes: Vec<u8>, changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    for (at, value) in changes {
        let at = at.index(bytes.len());
        bytes[at] = *value;
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..3_000), chunk_bytes in 1_usize..500) {
        drop(read_in_chunks(&bytes, AUDIO, chunk_bytes, 0));
        read_anything(&bytes, chunk_bytes);
    }

    #[test]
    fn a_changed_file_never_panics_and_never_depends_on_its_chunks(
        changes in changes(), chunk_bytes in 1_usize..500, is_account in any::<bool>(), resume_at_row in 0_u64..5
    ) {
        let json = if is_account { mixed_account() } else { mixed_extended() };
        let json = mutated(json.into_bytes(), &changes);
        let whole = read_in_chunks(&json, AUDIO, json.len(), resume_at_row);
        prop_assert_eq!(&read_in_chunks(&json, AUDIO, chunk_bytes, resume_at_row), &whole);
        let (rows, _) = read(&json, AUDIO);
        let left = rows.get(usize::try_from(resume_at_row).unwrap()..).unwrap_or_default();
        prop_assert_eq!(left, whole.0.as_slice(), "resuming");
    }

    #[test]
    fn a_changed_archive_never_panics(changes in changes(), in_directory in any::<bool>(), chunk_bytes in 1_usize..500) {
        let rows = array(&[R1, R4]);
        let plain = SimpleFileOptions::default();
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, options) in [("endsong_0.json", plain), ("b.json", plain.compression_method(STORED)), ("c.json", plain.large_file(true))] {
            zip.start_file(name, options).unwrap();
            zip.write_all(rows.as_bytes()).unwrap();
        }
        let mut bytes = zip.finish().unwrap().into_inner();
        let directory_at = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        let changed = mutated(bytes.split_off(if in_directory { directory_at } else { 0 }), &changes);
        bytes.extend(changed);
        read_anything(&bytes, chunk_bytes);
    }
}
