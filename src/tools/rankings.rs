//! Lists of tracks and artists, the same wherever they appear.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::history::{Answering, shown};
use crate::domain::{
    ids::{ArtistId, TrackId},
    instant::Millis,
    tally::{IdMap, Ranked, Tally, top},
};

/// A track in a list.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
pub struct TrackItem {
    /// 1 is the first.
    pub rank: usize,
    pub track_id: TrackId,
    pub track_name: String,
    /// The first artist.
    pub artist_name: String,
    /// Spotify's URI, where one is known.
    pub uri: Option<String>,
    pub play_count: i64,
    pub ms_played: i64,
    /// The end of the first play in the window.
    pub first_played_at: Millis,
    /// The end of the last play in the window.
    pub last_played_at: Millis,
}

/// An artist in a list.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
pub struct ArtistItem {
    /// 1 is the first.
    pub rank: usize,
    pub artist_id: ArtistId,
    pub artist_name: String,
    /// Plays of tracks that name this artist, alone or with others.
    pub play_count: i64,
    pub ms_played: i64,
    /// Different tracks of this artist in the window.
    pub unique_tracks: i64,
    /// The end of the first play in the window.
    pub first_played_at: Millis,
    /// The end of the last play in the window.
    pub last_played_at: Millis,
}

/// A longer URI is broken and useless.
const MAX_URI_CHARS: usize = 300;

impl Answering {
    /// The first `limit` tracks.
    pub fn top_tracks(&self, limit: usize) -> Vec<TrackItem> {
        let title = |id: i64| self.catalogue.track(id).and_then(|track| track.title.as_deref()).unwrap_or_default();
        let all = self.songs.iter().map(|(id, tally)| Ranked { id: *id, name: title(*id), tally: *tally }).collect();
        top(all, limit)
            .into_iter()
            .zip(1..)
            .map(|(ranked, rank)| {
                let track = self.catalogue.track(ranked.id);
                TrackItem {
                    rank,
                    track_id: TrackId(ranked.id),
                    track_name: shown(Some(ranked.name)),
                    artist_name: shown(track.and_then(|track| track.artist_name.as_deref())),
                    uri: track.and_then(|track| track.uri.clone()).filter(|uri| uri.len() <= MAX_URI_CHARS),
                    play_count: ranked.tally.plays,
                    ms_played: ranked.tally.ms_played(),
                    first_played_at: ranked.tally.first,
                    last_played_at: ranked.tally.last,
                }
            })
            .collect()
    }

    /// Plays by artist, and of how many tracks. A track with several artists counts for each of them once.
    pub fn by_artist(&self) -> IdMap<(Tally, i64)> {
        let mut artists: IdMap<(Tally, i64)> = IdMap::default();
        for (track, tally) in &self.songs {
            for artist in self.catalogue.credits(*track) {
                let (sum, tracks) = artists.entry(*artist).or_default();
                sum.merge(tally);
                *tracks += 1;
            }
        }
        artists
    }

    /// The first `limit` of these artists.
    pub fn top_artists(&self, artists: &IdMap<(Tally, i64)>, limit: usize) -> Vec<ArtistItem> {
        let name = |id: i64| self.catalogue.artist(id).unwrap_or_default();
        let all = artists.iter().map(|(id, (tally, _))| Ranked { id: *id, name: name(*id), tally: *tally }).collect();
        top(all, limit)
            .into_iter()
            .zip(1..)
            .map(|(ranked, rank)| ArtistItem {
                rank,
                artist_id: ArtistId(ranked.id),
                artist_name: shown(Some(ranked.name)),
                play_count: ranked.tally.plays,
                ms_played: ranked.tally.ms_played(),
                unique_tracks: artists.get(&ranked.id).map_or(0, |(_, tracks)| *tracks),
                first_played_at: ranked.tally.first,
                last_played_at: ranked.tally.last,
            })
            .collect()
    }
}
