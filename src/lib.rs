//! Listenlog: a whole Spotify listening history on Cloudflare's edge. This page is the map of its rooms.
#![cfg_attr(
    not(target_arch = "wasm32"),
    expect(dead_code, reason = "the edge, which calls everything, exists on wasm32 only")
)]

pub mod domain;
pub mod export;

mod app;
mod config;
#[cfg(target_arch = "wasm32")]
mod edge;
mod error;
mod http;
mod jobs;
mod mcp;
mod outbound;
mod sealing;
mod spotify;
mod store;
mod telemetry;
#[cfg(test)]
mod testing;
mod tools;
