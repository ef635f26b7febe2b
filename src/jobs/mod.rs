//! Jobs: started by a message or the clock, done in small resumable steps.

pub mod message;
