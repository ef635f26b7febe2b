//! The documents against the code: a table that names what is not there, or leaves out what is, fails here.
//!
//! Must stay true: nothing is run, built or fetched; files are read as they lie in the repository, and what git would ignore
//! is not looked at.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail as the test does")]

#[path = "documents/code.rs"]
mod code;
#[path = "documents/connecting.rs"]
mod connecting;
#[path = "documents/names.rs"]
mod names;
#[path = "documents/repository.rs"]
mod repository;
#[path = "documents/text.rs"]
mod text;
