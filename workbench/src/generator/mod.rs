//! One seeded generator of realistic Spotify exports.
//!
//! A plan ([`ExportPlan`]) becomes a life ([`ExportPlan::live`], a list of [`TruePlay`]s), and a life becomes archives as
//! Spotify hands them out ([`write_extended`], [`write_endsong`], [`write_account`], [`write_mixed`]). Must stay true:
//! the same plan gives the same bytes; no name is a real band's; what an archive tells of the life is stated by
//! [`seen_by_extended`] and [`seen_by_account`], which is what truth is computed over.

mod account;
mod archive;
mod calendar;
mod catalogue;
mod extended;
mod json;
mod life;
mod names;
mod personal;
mod plan;
mod play;
mod random;
mod taste;
mod words;

pub use archive::{ArchiveError, last_twelve_months, write_account, write_endsong, write_extended, write_mixed};
pub use personal::PERSONAL_VALUES;
pub use plan::{AccountLayout, ExportPlan, FieldSet, Format, SharesPerMille};
pub use play::{Kind, Text, TruePlay, seen_by_account, seen_by_extended};

#[cfg(test)]
mod tests;
