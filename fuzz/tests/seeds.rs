//! What fuzzing begins with, written where `make fuzz` looks for it: a folder of files for each target.

use std::{collections::BTreeSet, fs, path::Path};

use listenlog_fuzz::seeds;

#[test]
fn every_target_has_something_to_begin_with() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fuzz/seeds");
    let mut targets = BTreeSet::new();
    for seed in seeds::all().unwrap() {
        let folder = folder.join(seed.target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(seed.name), seed.bytes).unwrap();
        targets.insert(seed.target);
    }
    assert_eq!(targets.into_iter().collect::<Vec<_>>(), ["archive", "history", "slice"]);
}
