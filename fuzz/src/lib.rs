//! Hostile bytes for what reads a person's upload: the archive reader, the record parsers, and slices of rows.
//!
//! Each target takes any bytes and asserts what must hold for all of them. libFuzzer drives them (`make fuzz`), guided by
//! coverage; the tests of this crate run them on their seeds and on changes of these, without it.

#[cfg(any(test, feature = "seeds"))]
pub mod seeds;
pub mod targets;
