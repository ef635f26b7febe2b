//! Spotify's Web API and its accounts service: typed, small, one file for each group of endpoints.
//!
//! A [`session::Session`] is one user's right to ask; it comes from one row ([`session::Session::select`]), so that a job can read it in
//! its own batch. Must stay true:
//! * every exchange has a time limit and a size limit; a redirect is not followed; nobody sleeps;
//! * an access token that is still good costs no write, one that is not is refreshed by one at a time, and what Spotify
//!   gave is stored before it is used;
//! * a user whose authorization is over is marked as such, and nobody else is;
//! * a 429 is stored as the app's block of that family of endpoints, and holds across restarts;
//! * no token, code or secret is in an error, a log row or Debug.

pub mod accounts;
pub mod error;
pub mod login;
pub mod objects;
pub mod player;
pub mod profile;
mod request;
pub mod retry;
pub mod search;
pub mod session;
pub mod settings;
pub mod top;

#[cfg(test)]
mod tests;
