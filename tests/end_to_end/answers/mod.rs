//! Questions and answers against the generator's own truth.
//!
//! One Worker for all of these: six listeners go in once, through real imports, and nothing is written after that.

mod cost;
mod entrances;
mod expected;
mod listeners;
mod numbers;
mod questions;
mod refusals;
