//! What the demo, the end-to-end tests and the bench share: seeded exports with their own truth, and a runner for the
//! local Worker. It knows nothing of the Worker's code, so that its truth is independent of it.
//!
//! * [`generator`] invents a listener's life and writes it as Spotify's archives;
//! * [`truth`] answers questions over that life in plain Rust;
//! * [`runtime`] starts, crashes and stops the local Worker;
//! * [`fake_spotify`] stands in for Spotify;
//! * [`client`] talks to it over HTTP;
//! * `rust_sdk` is the protocol's own client, if its feature is on;
//! * [`hammer`] is many clients at once;
//! * [`deploy`] puts the Worker into a Cloudflare account and takes it out again.

pub mod client;
pub mod deploy;
pub mod fake_spotify;
pub mod generator;
pub mod hammer;
pub mod runtime;
#[cfg(feature = "rust-sdk")]
pub mod rust_sdk;
pub mod truth;
