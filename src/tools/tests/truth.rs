//! The same numbers computed another way: naively, from the rows, with jiff's own calendar.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, Zoned, tz::TimeZone};

use crate::{
    domain::{instant::Millis, observation::Kind},
    testing::scene::{ScenePlay, SceneTrack},
};

pub struct Truth {
    pub tracks: BTreeMap<i64, SceneTrack>,
    pub artists: BTreeMap<i64, String>,
    pub plays: Vec<ScenePlay>,
}

/// Plays, time, first, last.
pub type Sum = (i64, i64, Millis, Millis);

/// Small and the same every time: a linear congruence (Knuth's MMIX).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % bound
    }
}

impl Truth {
    /// Some hundred plays between these instants: features, tracks without artists or rows, songs that stand for
    /// others, every kind, every mixture of sources, skips and unknown lengths.
    pub fn generated(seed: u64, from: Millis, to: Millis) -> Self {
        let mut dice = Dice(seed);
        let names = ["Sigur Rós", "Ωmega", "beyoncé", "雨", "Artist \"5\"", "Same", "Same", ""];
        let artists: BTreeMap<i64, String> =
            names.iter().zip(100..).map(|(name, id)| (id, (*name).to_owned())).collect();
        let mut tracks = BTreeMap::new();
        for id in 1..=40 {
            let mut of_track: Vec<i64> = (0..dice.below(4)).map(|_| 100 + dice.below(8)).collect();
            if id % 9 == 0 {
                // Two positions of one artist.
                of_track = vec![101, 101, 102];
            }
            let is_song = id > 30;
            let track = SceneTrack {
                id,
                uri: (!is_song).then(|| format!("spotify:track:{id}")),
                title: Some(format!("Title {}", id % 7)),
                artist_name: of_track.first().map(|artist| artists[artist].clone()),
                album_name: (id % 5 != 0).then(|| format!("Album {}", id % 4)),
                duration_ms: (id % 3 != 0).then_some(100_000 + id * 1_000),
                canonical_id: (is_song && id % 2 == 0).then_some(id - 30),
                artists: of_track,
            };
            tracks.insert(id, track);
        }
        let mut plays = Vec::new();
        for number in 0..700 {
            let ended_at = Millis(from.0 + dice.below((to.0 - from.0) / 1_000) * 1_000 + number % 1_000);
            let kind =
                if dice.below(8) == 0 { Kind::ALL[usize::try_from(dice.below(5)).unwrap()] } else { Kind::Music };
            let ms_played = match dice.below(10) {
                0 => None,
                1 => Some(0),
                2 => Some(29_999),
                3 => Some(30_000),
                _ => Some(30_000 + dice.below(200_000)),
            };
            let sources = 1 + dice.below(7);
            // 41 has no row in `tracks`.
            plays.push(ScenePlay {
                ended_at,
                track: 1 + dice.below(41),
                ordinal: number,
                kind,
                ms_played,
                api: sources & 1 != 0,
                extended: sources & 2 != 0,
                account: sources & 4 != 0,
            });
        }
        Self { tracks, artists, plays }
    }

    pub fn counted(&self, from: Millis, to: Millis, kind: Option<Kind>, min_ms: i64) -> Vec<ScenePlay> {
        let inside = |play: &&ScenePlay| {
            (from..to).contains(&play.ended_at)
                && kind.is_none_or(|kind| play.kind == kind)
                && play.ms_played.is_none_or(|ms| ms >= min_ms)
        };
        self.plays.iter().filter(inside).copied().collect()
    }

    pub fn canonical(&self, track: i64) -> i64 {
        self.tracks.get(&track).and_then(|found| found.canonical_id).unwrap_or(track)
    }

    pub fn length(&self, play: &ScenePlay) -> i64 {
        let of = |track: i64| self.tracks.get(&track).and_then(|found| found.duration_ms);
        play.ms_played.or_else(|| of(play.track)).or_else(|| of(self.canonical(play.track))).unwrap_or(0)
    }

    /// Sums by whatever a play is counted for, in the order of a ranking.
    pub fn ranking<K: Ord + Clone>(
        &self,
        plays: &[ScenePlay],
        keys: impl Fn(&ScenePlay) -> Vec<K>,
        name: impl Fn(&K) -> String,
    ) -> Vec<(K, Sum)> {
        let mut sums: BTreeMap<K, Sum> = BTreeMap::new();
        for play in plays {
            for key in keys(play).into_iter().collect::<BTreeSet<_>>() {
                let sum = sums.entry(key).or_insert((0, 0, Millis(i64::MAX), Millis(i64::MIN)));
                sum.0 += 1;
                sum.1 += self.length(play);
                sum.2 = sum.2.min(play.ended_at);
                sum.3 = sum.3.max(play.ended_at);
            }
        }
        let mut ranking: Vec<(K, Sum)> = sums.into_iter().collect();
        ranking.sort_by_key(|(key, sum)| (-sum.0, -sum.1, name(key), key.clone()));
        ranking
    }

    pub fn title(&self, track: i64) -> String {
        self.tracks.get(&track).and_then(|found| found.title.clone()).unwrap_or_default()
    }

    pub fn credits(&self, play: &ScenePlay) -> Vec<i64> {
        self.tracks.get(&self.canonical(play.track)).map_or_else(Vec::new, |track| track.artists.clone())
    }
}

pub fn local(instant: Millis, zone: &TimeZone) -> Zoned {
    Timestamp::from_millisecond(instant.0).unwrap().to_zoned(zone.clone())
}
