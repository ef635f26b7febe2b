//! Listenlog: a whole Spotify listening history on Cloudflare's edge. This page is the map of its rooms.

pub mod domain;
pub mod export;
