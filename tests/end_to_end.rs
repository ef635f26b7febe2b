//! The Worker as a stranger sees it: over HTTP, on the real local runtime with its own D1, R2, queues and cron.
//!
//! `make test` builds the Worker and runs these; they need nothing but what `make build` installs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as the test does"
)]

#[path = "end_to_end/answers/mod.rs"]
mod answers;
#[path = "end_to_end/clients.rs"]
mod clients;
#[path = "end_to_end/collecting.rs"]
mod collecting;
#[path = "end_to_end/deployed.rs"]
mod deployed;
#[path = "end_to_end/door.rs"]
mod door;
#[path = "end_to_end/hammered.rs"]
mod hammered;
#[path = "end_to_end/imports.rs"]
mod imports;
#[path = "end_to_end/logs.rs"]
mod logs;
#[path = "end_to_end/oauth.rs"]
mod oauth;
#[path = "end_to_end/openapi.rs"]
mod openapi;
#[path = "end_to_end/spotify.rs"]
mod spotify;
#[path = "end_to_end/tokens.rs"]
mod tokens;
#[path = "end_to_end/worker.rs"]
mod worker;
