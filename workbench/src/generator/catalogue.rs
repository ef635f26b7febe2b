//! Everything that can be played in one life: tracks in order of how well they are liked, albums, shows, books, own
//! files and videos.
//!
//! Must stay true: (artist, title) names one track; some tracks have a second URI, the single's; some titles belong to
//! two artists; every artist has at least one track.

use std::fmt::Write;

use super::{
    names::{self, Taken},
    plan::ExportPlan,
    play::{Kind, Text},
    random::Dice,
    words::{BOOKS, SHOWS},
};

/// Something to play.
#[derive(Clone, Debug)]
pub struct Track {
    pub kind: Kind,
    pub artist: Text,
    pub title: Text,
    pub album: Option<Text>,
    pub uri: Text,
    pub book_uri: Option<Text>,
    /// Album and URI of the same recording as a single.
    pub single: Option<(Text, Text)>,
    pub length_ms: i64,
}

#[derive(Debug)]
pub struct Catalogue {
    /// Music, the best liked first.
    pub tracks: Vec<Track>,
    /// Indices into `tracks`, in the order of the record.
    pub albums: Vec<Vec<usize>>,
    /// Indices into `tracks`, per artist.
    pub artists: Vec<Vec<usize>>,
    pub episodes: Vec<Track>,
    pub chapters: Vec<Track>,
    pub own_files: Vec<Track>,
    pub videos: Vec<Track>,
}

impl Catalogue {
    /// `length_percent` below 100 shortens everything, for lives so full that whole tracks would not fit into them.
    pub fn new(plan: &ExportPlan, length_percent: i64) -> Self {
        let mut dice = Dice::new(plan.seed, 1);
        let artist_count = plan.artists.clamp(1, plan.tracks.max(1));
        let mut taken = Taken::default();
        let names: Vec<Text> =
            (0..artist_count).map(|position| taken.claim(names::artist(&mut dice, position)).into()).collect();
        let owners = owners_by_rank(plan.tracks.max(1), artist_count, &mut dice);
        let mut catalogue = Self {
            tracks: tracks(&owners, &names, length_percent, &mut dice),
            albums: Vec::new(),
            artists: vec![Vec::new(); artist_count],
            episodes: spoken(Kind::Podcast, &SHOWS, 40, length_percent, &mut dice),
            chapters: spoken(Kind::Audiobook, &BOOKS, 18, length_percent, &mut dice),
            own_files: own_files(length_percent, &mut dice),
            videos: Vec::new(),
        };
        for (index, owner) in owners.iter().enumerate() {
            if let Some(of_artist) = catalogue.artists.get_mut(*owner) {
                of_artist.push(index);
            }
        }
        catalogue.press_albums(&mut dice);
        catalogue.film_videos(&mut dice);
        catalogue
    }

    fn press_albums(&mut self, dice: &mut Dice) {
        for of_artist in &self.artists {
            let mut taken = Taken::default();
            let mut order = of_artist.clone();
            dice.shuffle(&mut order);
            let mut rest = order.as_slice();
            while !rest.is_empty() {
                let size = (if dice.chance(120) { 1 } else { 6 + dice.below(9) }).min(rest.len());
                let (record, later) = rest.split_at(size);
                rest = later;
                let name: Text = taken.claim(names::album(dice)).into();
                for index in record {
                    if let Some(track) = self.tracks.get_mut(*index) {
                        track.album = Some(name.clone());
                        if dice.chance(40) {
                            track.single = Some((track.title.clone(), track_uri(dice)));
                        }
                    }
                }
                self.albums.push(record.to_vec());
            }
        }
        dice.shuffle(&mut self.albums);
    }

    fn film_videos(&mut self, dice: &mut Dice) {
        let videos: Vec<Track> = self
            .tracks
            .iter()
            .step_by(5)
            .take(60)
            .map(|track| Track {
                kind: Kind::Video,
                title: format!("{} (On Film)", track.title).into(),
                uri: track_uri(dice),
                single: None,
                ..track.clone()
            })
            .collect();
        self.videos = videos;
    }
}

fn track_uri(dice: &mut Dice) -> Text {
    format!("spotify:track:{}", dice.spotify_id()).into()
}

/// For each rank of liking the artist of that track: well-liked artists have more tracks, all have one.
fn owners_by_rank(tracks: usize, artists: usize, dice: &mut Dice) -> Vec<usize> {
    let ranks = super::random::Ranks::falling(artists, 12);
    let mut owners: Vec<usize> = (0..tracks).map(|rank| if rank < artists { rank } else { ranks.draw(dice) }).collect();
    dice.shuffle(&mut owners);
    owners
}

fn tracks(owners: &[usize], names: &[Text], length_percent: i64, dice: &mut Dice) -> Vec<Track> {
    let mut taken: Vec<Taken> = names.iter().map(|_| Taken::default()).collect();
    let mut tracks: Vec<Track> = Vec::with_capacity(owners.len());
    for owner in owners {
        let (Some(artist), Some(taken)) = (names.get(*owner), taken.get_mut(*owner)) else { continue };
        // Now and then a cover of somebody else's title; chance alone gives some more.
        let covered = tracks.get(dice.below(tracks.len())).map(|track| track.title.clone());
        let title: Text = match covered {
            Some(title) if dice.chance(15) && taken.claim_exactly(&title) => title,
            _ => taken.claim(names::title(dice)).into(),
        };
        tracks.push(Track {
            kind: Kind::Music,
            artist: artist.clone(),
            title,
            album: None,
            uri: track_uri(dice),
            book_uri: None,
            single: None,
            length_ms: scaled(dice.around(218_000, 190_000).max(62_000) + dice.between(0, 999), length_percent),
        });
    }
    tracks
}

/// Episodes of shows or chapters of books.
fn spoken(kind: Kind, works: &[&str], parts: usize, length_percent: i64, dice: &mut Dice) -> Vec<Track> {
    let mut tracks = Vec::with_capacity(works.len() * parts);
    for work in works {
        let artist: Text = (*work).into();
        let book_uri = (kind == Kind::Audiobook).then(|| Text::from(format!("spotify:show:{}", dice.spotify_id())));
        for part in 1..=parts {
            let title = match kind {
                Kind::Audiobook => format!("Chapter {part}"),
                _ => format!("#{part}: {}", names::title(dice)),
            };
            tracks.push(Track {
                kind,
                artist: artist.clone(),
                title: title.into(),
                album: None,
                uri: format!("spotify:episode:{}", dice.spotify_id()).into(),
                book_uri: book_uri.clone(),
                single: None,
                length_ms: scaled(dice.between(900_000, 3_300_000), length_percent),
            });
        }
    }
    tracks
}

fn own_files(length_percent: i64, dice: &mut Dice) -> Vec<Track> {
    let mut taken = Taken::default();
    (0..30)
        .map(|number| {
            let artist = format!("Home Recording {}", 1 + number / 10);
            let title = taken.claim(names::title(dice));
            let length_ms = scaled(dice.between(90_000, 400_000), length_percent);
            let uri = format!("spotify:local:{}::{}:{}", form(&artist), form(&title), length_ms / 1_000);
            Track {
                kind: Kind::Local,
                artist: artist.into(),
                title: title.into(),
                album: None,
                uri: uri.into(),
                book_uri: None,
                single: None,
                length_ms,
            }
        })
        .collect()
}

/// Text as `spotify:local:` URIs carry it.
fn form(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'-' | b'.' | b'_' => encoded.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => _ = write!(encoded, "%{byte:02X}"),
        }
    }
    encoded
}

/// Nothing gets so short that no whole play would count.
fn scaled(length_ms: i64, percent: i64) -> i64 {
    (length_ms * percent / 100).max(40_000)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn a_catalogue_is_as_its_head_says() {
        let plan = ExportPlan::demo();
        let catalogue = Catalogue::new(&plan, 100);
        assert_eq!(catalogue.tracks.len(), plan.tracks);
        let pairs: HashSet<_> = catalogue.tracks.iter().map(|track| (&track.artist, &track.title)).collect();
        assert_eq!(pairs.len(), plan.tracks);
        let artists: HashSet<_> = catalogue.tracks.iter().map(|track| track.artist.to_lowercase()).collect();
        assert_eq!(artists.len(), plan.artists);
        let mut by_title: HashMap<&str, u32> = HashMap::new();
        for track in &catalogue.tracks {
            *by_title.entry(&track.title).or_default() += 1;
        }
        assert!(by_title.values().any(|count| *count >= 2), "no title of two artists");
        assert!(catalogue.tracks.iter().any(|track| track.single.is_some()), "no single");
        assert!(catalogue.tracks.iter().all(|track| track.album.is_some()));
        assert_eq!(catalogue.albums.iter().map(Vec::len).sum::<usize>(), plan.tracks);
        assert!(artists.iter().any(|artist| !artist.is_ascii()));
    }
}
