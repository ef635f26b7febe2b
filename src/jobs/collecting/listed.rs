//! From Spotify's list of plays to observations and tracks.
//!
//! Must stay true: a song is identified as an export would name it, by the artist of its album; what is played and shown is
//! credited to the track's own artists.

use std::collections::{HashMap, HashSet};

use crate::{
    domain::{
        ids::TrackId,
        instant::{HOUR_MS, Millis},
        observation::{Details, Kind, Observation, Source},
        track::TrackFacts,
    },
    spotify::{
        objects::Track,
        player::{PlayedItem, RecentlyPlayed},
    },
    store::api_tracks::{ApiArtist, ApiTrack},
};

/// A page of Spotify's list, understood.
#[derive(Debug, Default)]
pub struct Listed {
    /// One for each play, without repeats.
    pub observations: Vec<Observation>,
    pub tracks: HashMap<TrackId, ApiTrack>,
    /// Entries that name no track, no time, or a time to come.
    pub unreadable: u64,
    /// All entries.
    pub fetched: u64,
    pub earliest: Option<Millis>,
    pub latest: Option<Millis>,
}

impl Listed {
    pub fn of(page: RecentlyPlayed, now: Millis) -> Self {
        let mut listed = Self {
            unreadable: page.unreadable as u64,
            fetched: (page.items.len() + page.unreadable) as u64,
            ..Self::default()
        };
        let mut known = HashSet::new();
        for item in page.items {
            let played_at = item.played_at;
            let Some((observation, track)) = understood(item).filter(|_| played_at <= now.plus_ms(HOUR_MS)) else {
                listed.unreadable += 1;
                continue;
            };
            listed.earliest = Some(listed.earliest.map_or(played_at, |earliest| earliest.min(played_at)));
            listed.latest = Some(listed.latest.map_or(played_at, |latest| latest.max(played_at)));
            if known.insert(observation.record_key()) {
                listed.tracks.insert(track.facts.id, track);
                listed.observations.push(observation);
            }
        }
        listed
    }
}

fn understood(item: PlayedItem) -> Option<(Observation, ApiTrack)> {
    let track = api_track(item.track?)?;
    let observation = Observation {
        source: Source::Api,
        ended_at: item.played_at,
        track: track.facts.id,
        song: track.facts.song,
        kind: kind(track.facts.uri.as_deref()),
        ms_played: None,
        started_at: None,
        ordinal: 0,
        isrc: track.isrc.clone(),
        duration_ms: track.duration_ms,
        details: Details { context_uri: item.context_uri, ..Details::default() },
        file: None,
    };
    Some((observation, track))
}

fn api_track(track: Track) -> Option<ApiTrack> {
    let text = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let of_id = |id: String| format!("spotify:track:{id}");
    let uri = text(track.uri).or_else(|| text(track.id).map(of_id));
    let artists: Vec<ApiArtist> = track
        .artists
        .into_iter()
        .filter_map(|artist| Some(ApiArtist { name: text(artist.name)?, spotify_id: text(artist.id) }))
        .collect();
    let first_artist = artists.first().map(|artist| artist.name.clone());
    let album = track.album.unwrap_or_default();
    let album_artist = album.artists.into_iter().find_map(|artist| text(artist.name));
    let named_by = album_artist.or_else(|| first_artist.clone());
    let (title, album_name) = (text(track.name), text(album.name));
    let mut facts = TrackFacts::new(uri.as_deref(), title.as_deref(), named_by.as_deref(), album_name.as_deref())?;
    facts.artist = first_artist.or(facts.artist);
    let duration_ms = track.duration_ms.filter(|length| *length > 0);
    Some(ApiTrack { facts, isrc: track.isrc, duration_ms, artists })
}

/// A track without a URI is a file of the listener's own.
fn kind(uri: Option<&str>) -> Kind {
    match uri.and_then(|uri| uri.strip_prefix("spotify:")).and_then(|rest| rest.split(':').next()) {
        Some("local") | None => Kind::Local,
        Some("episode") => Kind::Podcast,
        Some(_) => Kind::Music,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::ids::SongId,
        spotify::objects::{Album, Artist},
    };

    fn artist(name: &str) -> Artist {
        Artist { id: Some(format!("id-of-{name}")), uri: None, name: Some(name.to_owned()) }
    }

    fn item(played_at: i64, track: Option<Track>) -> PlayedItem {
        PlayedItem { played_at: Millis(played_at), track, context_uri: None }
    }

    fn song() -> Track {
        Track {
            uri: Some("spotify:track:a".to_owned()),
            name: Some("Song".to_owned()),
            artists: vec![artist("Björk"), artist("Thom")],
            album: Some(Album {
                name: Some("Hits".to_owned()),
                artists: vec![artist("Various Artists")],
                ..Album::default()
            }),
            ..Track::default()
        }
    }

    #[test]
    fn a_song_is_identified_as_an_export_names_it_and_credited_to_its_own_artists() {
        let page = RecentlyPlayed { items: vec![item(5, Some(song()))], unreadable: 0 };
        let listed = Listed::of(page, Millis(9));
        let track = listed.tracks.values().next().unwrap();
        assert_eq!(track.facts.song, Some(SongId::from_names("Various Artists", "Song")));
        assert_eq!(track.facts.artist.as_deref(), Some("Björk"));
        assert_eq!(track.artists.len(), 2);
    }

    #[test]
    fn what_cannot_be_kept_is_counted_and_a_repeat_is_one() {
        let future = Millis(9).plus_ms(2 * HOUR_MS).0;
        let items = vec![
            item(5, Some(song())),
            item(5, Some(song())),
            item(4, None),
            item(3, Some(Track::default())),
            item(future, Some(song())),
        ];
        let listed = Listed::of(RecentlyPlayed { items, unreadable: 1 }, Millis(9));
        assert_eq!((listed.observations.len(), listed.unreadable, listed.fetched), (1, 4, 6));
        assert_eq!((listed.earliest, listed.latest), (Some(Millis(5)), Some(Millis(5))));
    }

    #[test]
    fn a_file_of_the_listeners_own_is_local_with_or_without_a_uri() {
        assert_eq!(kind(None), Kind::Local);
        assert_eq!(kind(Some("spotify:local:a:b:c:1")), Kind::Local);
        assert_eq!(kind(Some("spotify:track:a")), Kind::Music);
        assert_eq!(kind(Some("spotify:episode:a")), Kind::Podcast);
    }
}
