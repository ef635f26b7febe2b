//! Stretches of days without a single play.
