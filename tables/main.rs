//! What is made at build time: tables that the Worker carries, cut from what their crates know to what it asks.
//!
//! Must stay true: a table is a function of the crate it comes from and of nothing else, so that `cargo update` renews it
//! and `Cargo.lock` pins it. Tests beside its reader compare every entry with the crate.

mod normal_form;
mod zones;

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=tables");
    let directory = env::var("OUT_DIR")?;
    let write = |name: &str, contents: &[u8]| fs::write(Path::new(&directory).join(name), contents);
    let (index, rules) = zones::tables()?;
    write("zones.txt", index.as_bytes())?;
    write("zones.tzif", &rules)?;
    write("normal_form.bin", &normal_form::table())?;
    Ok(())
}
