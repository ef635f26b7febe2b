//! Who and what was played most.
//!
//! Must stay true: ranked by plays, then time, then name (by code point), and whole: callers take as many as they ask
//! for. Nothing is credited twice, and nothing without a name is ranked among names.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    hash::Hash,
};

use super::{Question, TrackKey};
use crate::generator::TruePlay;

/// What one name or track gets of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    pub play_count: usize,
    pub ms_played: i64,
    pub first_played_at_ms: i64,
    pub last_played_at_ms: i64,
}

impl Credit {
    fn add(credit: Option<Self>, play: &TruePlay) -> Self {
        let ended = play.ended_at_ms;
        match credit {
            None => {
                Self { play_count: 1, ms_played: play.ms_played, first_played_at_ms: ended, last_played_at_ms: ended }
            }
            Some(so_far) => Self {
                play_count: so_far.play_count + 1,
                ms_played: so_far.ms_played + play.ms_played,
                first_played_at_ms: so_far.first_played_at_ms.min(ended),
                last_played_at_ms: so_far.last_played_at_ms.max(ended),
            },
        }
    }

    const fn rank(&self) -> (Reverse<usize>, Reverse<i64>) {
        (Reverse(self.play_count), Reverse(self.ms_played))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankedArtist {
    pub artist: String,
    pub credit: Credit,
    /// Different tracks of the artist among these plays.
    pub unique_tracks: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankedTrack {
    /// `None` where no row of the archive names the track.
    pub title: Option<String>,
    pub artist: Option<String>,
    pub uri: Option<String>,
    pub credit: Credit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankedAlbum {
    pub album: String,
    pub artist: Option<String>,
    pub credit: Credit,
    /// Different tracks of the album among these plays.
    pub unique_tracks: usize,
}

/// Every artist with a name, the most played first.
pub fn top_artists(plays: &[TruePlay], question: &Question) -> Vec<RankedArtist> {
    let credits = grouped(plays, question, |play| play.artist.as_deref());
    let mut ranked: Vec<RankedArtist> = credits
        .into_iter()
        .map(|(artist, group)| RankedArtist {
            artist: artist.to_owned(),
            credit: group.credit,
            unique_tracks: group.tracks.len(),
        })
        .collect();
    ranked.sort_by(|one, other| (one.credit.rank(), &one.artist).cmp(&(other.credit.rank(), &other.artist)));
    ranked
}

/// Every track, the most played first. Equal in plays, time and title: by artist, then URI.
pub fn top_tracks(plays: &[TruePlay], question: &Question) -> Vec<RankedTrack> {
    let credits = grouped(plays, question, |play| Some(TrackKey::of(play)));
    let mut ranked: Vec<RankedTrack> = credits
        .into_values()
        .map(|Group { credit, play, .. }| RankedTrack {
            title: owned(play.title.as_ref()),
            artist: owned(play.artist.as_ref()),
            uri: owned(play.uri.as_ref()),
            credit,
        })
        .collect();
    ranked.sort_by(|one, other| {
        let names = |track: &RankedTrack| (track.title.clone(), track.artist.clone(), track.uri.clone());
        one.credit.rank().cmp(&other.credit.rank()).then_with(|| names(one).cmp(&names(other)))
    });
    ranked
}

/// Every album with a name, told apart by album and artist, the most played first. Equal in plays, time and album: by
/// artist.
pub fn top_albums(plays: &[TruePlay], question: &Question) -> Vec<RankedAlbum> {
    let credits = grouped(plays, question, |play| play.album.as_deref().map(|album| (album, play.artist.as_deref())));
    let mut ranked: Vec<RankedAlbum> = credits
        .into_iter()
        .map(|((album, artist), group)| RankedAlbum {
            album: album.to_owned(),
            artist: artist.map(str::to_owned),
            credit: group.credit,
            unique_tracks: group.tracks.len(),
        })
        .collect();
    ranked.sort_by(|one, other| {
        (one.credit.rank(), &one.album, &one.artist).cmp(&(other.credit.rank(), &other.album, &other.artist))
    });
    ranked
}

fn owned(text: Option<&crate::generator::Text>) -> Option<String> {
    text.map(|text| text.as_ref().to_owned())
}

/// Tracks played exactly once in the window.
pub fn one_time_tracks(plays: &[TruePlay], question: &Question) -> usize {
    top_tracks(plays, question).iter().filter(|track| track.credit.play_count == 1).count()
}

/// Plays of the `first` artists played most: with all plays, how concentrated a taste is.
pub fn plays_of_top_artists(plays: &[TruePlay], question: &Question, first: usize) -> usize {
    // In an export a play has one artist, so no play is counted twice here.
    top_artists(plays, question).iter().take(first).map(|artist| artist.credit.play_count).sum()
}

/// Plays that count and are of no album with a name.
pub fn plays_without_album(plays: &[TruePlay], question: &Question) -> usize {
    question.counted(plays).filter(|play| play.album.is_none()).count()
}

/// The plays of one key.
struct Group<'plays> {
    credit: Credit,
    /// One of them, for its names.
    play: &'plays TruePlay,
    tracks: HashSet<TrackKey<'plays>>,
}

/// The counted plays by a key. Plays without a key are left out.
fn grouped<'plays, Key: Hash + Eq>(
    plays: &'plays [TruePlay],
    question: &Question,
    key: impl Fn(&'plays TruePlay) -> Option<Key>,
) -> HashMap<Key, Group<'plays>> {
    let mut groups: HashMap<Key, Group<'plays>> = HashMap::new();
    for play in question.counted(plays) {
        let Some(key) = key(play) else { continue };
        let group = groups
            .entry(key)
            .and_modify(|group| group.credit = Credit::add(Some(group.credit), play))
            .or_insert_with(|| Group { credit: Credit::add(None, play), play, tracks: HashSet::new() });
        group.tracks.insert(TrackKey::of(play));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_fall_by_time_and_then_by_name() {
        let plays = [
            TruePlay::music(9_000, 40_000, "Late", "x", Some("spotify:track:1")),
            TruePlay::music(1_000, 50_000, "Zebra", "y", Some("spotify:track:2")),
            TruePlay::music(2_000, 40_000, "Early", "z", Some("spotify:track:3")),
            TruePlay::music(3_000, 30_000, "Twice", "t", Some("spotify:track:4")),
            TruePlay::music(4_000, 31_000, "Twice", "t", Some("spotify:track:4")),
            TruePlay::music(5_000, 90_000_000, "Skipped", "s", Some("spotify:track:5")),
        ];
        let question = Question { to_ms: 9_001, ..Question::ALL_TIME };
        let names: Vec<String> = top_artists(&plays[..5], &question).into_iter().map(|ranked| ranked.artist).collect();
        assert_eq!(names, ["Twice", "Zebra", "Early", "Late"]);
        let first = &top_tracks(&plays[..5], &question)[0];
        let expected = Credit { play_count: 2, ms_played: 61_000, first_played_at_ms: 3_000, last_played_at_ms: 4_000 };
        assert_eq!((first.title.as_deref(), first.credit), (Some("t"), expected));
        assert_eq!(top_artists(&plays, &question)[1].artist, "Skipped");
    }

    #[test]
    fn two_uris_are_two_tracks_of_one_artist_and_names_alone_a_third() {
        let plays = [
            TruePlay::music(1_000, 40_000, "A", "T", Some("spotify:track:1")),
            TruePlay::music(2_000, 40_000, "A", "T", Some("spotify:track:2")),
            TruePlay::music(3_000, 40_000, "A", "T", None),
        ];
        let tracks = top_tracks(&plays, &Question::ALL_TIME);
        let uris: Vec<Option<&str>> = tracks.iter().map(|track| track.uri.as_deref()).collect();
        assert_eq!(uris, [None, Some("spotify:track:1"), Some("spotify:track:2")]);
        let artist = &top_artists(&plays, &Question::ALL_TIME)[0];
        assert_eq!((artist.credit.play_count, artist.unique_tracks), (3, 3));
        assert_eq!(one_time_tracks(&plays, &Question::ALL_TIME), 3);
        assert_eq!(plays_of_top_artists(&plays, &Question::ALL_TIME, 1), 3);
    }

    #[test]
    fn albums_of_one_name_belong_to_their_artists() {
        let of = |artist: &str, ms_played| TruePlay {
            album: Some("Greatest".into()),
            ..TruePlay::music(1_000, ms_played, artist, "T", Some("spotify:track:1"))
        };
        let nameless = TruePlay { artist: None, title: None, album: None, ..of("x", 40_000) };
        let plays = [of("A", 40_000), of("B", 50_000), nameless];
        let albums = top_albums(&plays, &Question::ALL_TIME);
        let artists: Vec<Option<&str>> = albums.iter().map(|album| album.artist.as_deref()).collect();
        assert_eq!(artists, [Some("B"), Some("A")]);
        assert_eq!(albums[0].unique_tracks, 1);
        assert_eq!(plays_without_album(&plays, &Question::ALL_TIME), 1);
        assert_eq!(top_artists(&plays, &Question::ALL_TIME).len(), 2);
    }
}
