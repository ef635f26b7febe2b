//! What Listenlog knows about listening, as plain decisions on plain values.
//!
//! Must stay true: nothing here reads a clock, draws a random number, speaks SQL or HTTP, or awaits. Everything is a
//! function of its arguments, so each rule can be tested by itself and proved the same in every batch and order.

pub mod credential;
pub mod gaps;
pub mod grant_secret;
pub mod hexadecimal;
pub mod ids;
pub mod instant;
pub mod local_time;
pub mod matching;
pub mod normal_form;
pub mod observation;
pub mod play;
pub mod role;
pub mod tally;
pub mod track;
pub mod window;
pub mod zones;
