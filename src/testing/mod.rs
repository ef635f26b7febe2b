//! What native tests run on: the real migrations and the shipped SQL on SQLite, the real router, a clock that is set.

pub mod fake_spotify;
pub mod platform;
pub mod row_sender;
pub mod scene;
pub mod sqlite;
pub mod test_app;

pub use test_app::TestApp;
