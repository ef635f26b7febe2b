//! What the listener puts on next: an album from end to end, the favourites of all time or of the month, one artist's
//! tracks, and now and then something that is not music.
//!
//! Must stay true: chances come from ranks only, so that the life has few favourites and a long tail.

use jiff::civil::Date;

use super::{
    catalogue::{Catalogue, Track},
    plan::{ExportPlan, SharesPerMille},
    random::{Dice, Ranks},
};

/// What is put on.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'catalogue> {
    pub track: &'catalogue Track,
    /// The single's URI rather than the album's.
    pub as_single: bool,
    pub shuffle: bool,
}

/// What the next few plays come from.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Album { album: usize, next: usize },
    Favourites { left: usize },
    Month { left: usize },
    Artist { artist: usize, left: usize },
}

/// A listener's taste, and what they are in the middle of.
#[derive(Debug)]
pub struct Taste<'life> {
    shares: SharesPerMille,
    seed: u64,
    catalogue: &'life Catalogue,
    by_rank: Ranks,
    by_album: Ranks,
    by_artist: Ranks,
    month: (i16, i8),
    of_month: Vec<usize>,
    mood: Mood,
    last: Option<usize>,
    skipped: bool,
}

impl<'life> Taste<'life> {
    pub fn new(plan: &ExportPlan, catalogue: &'life Catalogue) -> Self {
        Self {
            shares: plan.shares,
            seed: plan.seed,
            catalogue,
            by_rank: Ranks::falling(catalogue.tracks.len(), 24),
            by_album: Ranks::falling(catalogue.albums.len(), 30),
            by_artist: Ranks::falling(catalogue.artists.len(), 8),
            month: (0, 0),
            of_month: Vec::new(),
            mood: Mood::Favourites { left: 0 },
            last: None,
            skipped: false,
        }
    }

    /// A new month brings new favourites.
    pub fn turn_to(&mut self, date: Date) {
        let month = (date.year(), date.month());
        if self.month != month {
            self.month = month;
            let number = u64::from(month.0.unsigned_abs()) * 12 + u64::from(month.1.unsigned_abs());
            let mut dice = Dice::new(self.seed, 1_000 + number);
            self.of_month = (0..16).map(|_| dice.below(self.catalogue.tracks.len())).collect();
        }
    }

    /// A new session: whatever was on is over.
    pub fn sit_down(&mut self, dice: &mut Dice) {
        self.last = None;
        self.skipped = false;
        self.mood = match dice.below(20) {
            0..=4 => Mood::Album { album: self.by_album.draw(dice), next: 0 },
            5..=12 => Mood::Favourites { left: 8 + dice.below(20) },
            13..=16 => Mood::Month { left: 5 + dice.below(12) },
            _ => Mood::Artist { artist: self.by_artist.draw(dice), left: 4 + dice.below(8) },
        };
    }

    /// Nobody repeats what they have just skipped.
    pub fn was_skipped(&mut self) {
        self.skipped = true;
    }

    /// `None` only where there is nothing at all to play.
    pub fn choose(&mut self, dice: &mut Dice) -> Option<Choice<'life>> {
        if let Some(track) = self.something_else(dice) {
            return Some(Choice { track, as_single: false, shuffle: false });
        }
        let again = self.last.filter(|_| !self.skipped && dice.chance(25));
        self.skipped = false;
        let index = again.unwrap_or_else(|| self.next_music(dice));
        self.last = Some(index);
        let in_album = matches!(self.mood, Mood::Album { .. });
        let track = self.catalogue.tracks.get(index)?;
        Some(Choice { track, as_single: !in_album && dice.chance(350), shuffle: !in_album })
    }

    /// A podcast, a chapter, a video or a file of one's own.
    fn something_else(&self, dice: &mut Dice) -> Option<&'life Track> {
        let catalogue = self.catalogue;
        let kinds: [(u32, &'life [Track]); 4] = [
            (self.shares.podcast, &catalogue.episodes),
            (self.shares.audiobook, &catalogue.chapters),
            (self.shares.video, &catalogue.videos),
            (self.shares.local, &catalogue.own_files),
        ];
        let mut point = u32::try_from(dice.between(0, 999)).unwrap_or(0);
        for (share, tracks) in kinds {
            if point < share {
                return tracks.get(dice.below(tracks.len()));
            }
            point -= share;
        }
        None
    }

    fn next_music(&mut self, dice: &mut Dice) -> usize {
        let catalogue = self.catalogue;
        loop {
            let (index, mood) = match self.mood {
                Mood::Album { album, next } => {
                    let index = catalogue.albums.get(album).and_then(|record| record.get(next)).copied();
                    (index, Mood::Album { album, next: next + 1 })
                }
                Mood::Favourites { left } => {
                    ((left > 0).then(|| self.by_rank.draw(dice)), Mood::Favourites { left: left.saturating_sub(1) })
                }
                Mood::Month { left } => {
                    let index = self.of_month.get(dice.below(self.of_month.len())).copied();
                    (index.filter(|_| left > 0), Mood::Month { left: left.saturating_sub(1) })
                }
                Mood::Artist { artist, left } => {
                    let of_artist = catalogue.artists.get(artist).map_or(&[][..], Vec::as_slice);
                    let index = of_artist.get(dice.below(of_artist.len())).copied();
                    (index.filter(|_| left > 0), Mood::Artist { artist, left: left.saturating_sub(1) })
                }
            };
            match index {
                Some(index) => {
                    self.mood = mood;
                    return index;
                }
                // Over; something new.
                None => self.sit_down(dice),
            }
        }
    }
}
