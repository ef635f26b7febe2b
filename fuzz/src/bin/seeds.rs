//! Writes what fuzzing begins with: `fuzz-seeds FOLDER` makes a folder of files there for each target.

use std::{error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).ok_or("say which folder")?;
    for seed in listenlog_fuzz::seeds::all()? {
        let folder = folder.join(seed.target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(seed.name), seed.bytes)?;
    }
    Ok(())
}
