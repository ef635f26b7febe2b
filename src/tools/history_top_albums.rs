//! Which albums somebody played most.

use std::collections::HashMap;

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Right, Tool,
    history::{self, Answering, Common, Need, shown},
    question::LIST_QUESTION,
};
use crate::domain::{
    ids::normalised,
    instant::Millis,
    tally::{Ranked, Tally, top},
};

pub static TOOL: Tool = Tool {
    name: "history_top_albums",
    alias: "history.top_albums",
    title: "Top albums",
    description: "The albums a user played most in a window of their own listening history, by album name and first \
                  artist, with play counts, time and how many different tracks were played.",
    category: "history",
    needs: Right::READ,
    parameters: &LIST_QUESTION,
    #[cfg(test)]
    output_schema: super::description::schema::<TopAlbums>,
    run: |context, arguments| Box::pin(history::run(context, arguments, NEED, answer)),
};

const NEED: Need = Need { tracks: true, artists: false, calendar: false, coverage: false };

/// The albums played most.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct TopAlbums {
    #[serde(flatten)]
    common: Common,
    /// Most plays first, then most time, then by name.
    items: Vec<AlbumItem>,
    /// Counted plays of tracks whose album is not known; they are in no entry.
    plays_without_album: i64,
}

/// An album in the list.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
struct AlbumItem {
    /// 1 is the first.
    rank: usize,
    album_name: String,
    /// The first artist of its tracks.
    artist_name: String,
    play_count: i64,
    ms_played: i64,
    /// Different tracks of it in the window.
    unique_tracks: i64,
    /// The end of the first play in the window.
    first_played_at: Millis,
    /// The end of the last play in the window.
    last_played_at: Millis,
}

/// An album while it is added up.
struct Album {
    /// The most played spelling: the names of its most played track, of two the one with the lesser id.
    spelling: (i64, i64),
    name: String,
    artist: String,
    tally: Tally,
    tracks: i64,
}

fn answer(asked: &Answering) -> TopAlbums {
    let mut albums: HashMap<(String, String), Album> = HashMap::new();
    let mut plays_without_album = 0;
    for (id, tally) in &asked.songs {
        let track = asked.catalogue.track(*id);
        let artist = track.and_then(|track| track.artist_name.as_deref()).unwrap_or_default();
        let Some(name) = track.and_then(|track| track.album_name.as_deref()).filter(|name| !name.is_empty()) else {
            plays_without_album += tally.plays;
            continue;
        };
        let spelling = (-tally.plays, *id);
        let album = albums.entry((normalised(name), normalised(artist))).or_insert_with(|| Album {
            spelling,
            name: name.to_owned(),
            artist: artist.to_owned(),
            tally: Tally::default(),
            tracks: 0,
        });
        if spelling < album.spelling {
            (album.name, album.artist, album.spelling) = (name.to_owned(), artist.to_owned(), spelling);
        }
        album.tally.merge(tally);
        album.tracks += 1;
    }
    TopAlbums { common: asked.common_of_songs(), items: items(albums, asked.question.limit), plays_without_album }
}

fn items(albums: HashMap<(String, String), Album>, limit: usize) -> Vec<AlbumItem> {
    // Two albums of one name are told apart by their artists: their order in that list is their id.
    let mut albums: Vec<Album> = albums.into_values().collect();
    albums.sort_unstable_by(|a, b| (&a.artist, &a.name).cmp(&(&b.artist, &b.name)));
    let all = albums.iter().zip(0..).map(|(album, id)| Ranked { id, name: &album.name, tally: album.tally }).collect();
    let found = |id: i64| usize::try_from(id).ok().and_then(|place| albums.get(place));
    top(all, limit)
        .into_iter()
        .zip(1..)
        .filter_map(|(ranked, rank)| {
            let album = found(ranked.id)?;
            Some(AlbumItem {
                rank,
                album_name: shown(Some(&album.name)),
                artist_name: shown(Some(&album.artist)),
                play_count: ranked.tally.plays,
                ms_played: ranked.tally.ms_played(),
                unique_tracks: album.tracks,
                first_played_at: ranked.tally.first,
                last_played_at: ranked.tally.last,
            })
        })
        .collect()
}
