//! Rows for a test, put where the program finds them.

use rusqlite::params;

use super::TestApp;
use crate::domain::{instant::Millis, observation::Kind};

/// A row of `tracks` with its artists; the rest is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SceneTrack {
    pub id: i64,
    pub uri: Option<String>,
    pub title: Option<String>,
    pub artist_name: Option<String>,
    pub album_name: Option<String>,
    pub duration_ms: Option<i64>,
    pub canonical_id: Option<i64>,
    /// In order of position.
    pub artists: Vec<i64>,
}

/// A row of `plays`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScenePlay {
    pub ended_at: Millis,
    pub track: i64,
    pub ordinal: i64,
    pub kind: Kind,
    pub ms_played: Option<i64>,
    pub api: bool,
    pub extended: bool,
    pub account: bool,
}

impl ScenePlay {
    /// A play of music that an extended history told of.
    pub const fn new(ended_at: Millis, track: i64, ms_played: i64) -> Self {
        let ms_played = Some(ms_played);
        Self { ended_at, track, ordinal: 0, kind: Kind::Music, ms_played, api: false, extended: true, account: false }
    }
}

/// Sets a scene on an app's database.
pub struct Scene<'a>(pub &'a TestApp);

impl Scene<'_> {
    pub fn user(&self, id: i64, timezone: &str) -> &Self {
        self.write(
            "INSERT INTO users (id, display_name, timezone, created_at, updated_at) VALUES (?1, 'Somebody', ?2, 0, 0)",
            params![id, timezone],
        )
    }

    pub fn artist(&self, id: i64, name: &str) -> &Self {
        self.write("INSERT INTO artists (id, name) VALUES (?1, ?2)", params![id, name])
    }

    pub fn track(&self, track: &SceneTrack) -> &Self {
        self.write(
            "INSERT INTO tracks (id, uri, title, artist_name, album_name, duration_ms, canonical_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                track.id,
                track.uri,
                track.title,
                track.artist_name,
                track.album_name,
                track.duration_ms,
                track.canonical_id
            ],
        );
        for (position, artist) in track.artists.iter().enumerate() {
            self.write(
                "INSERT INTO track_artists (track_id, position, artist_id) VALUES (?1, ?2, ?3)",
                params![track.id, i64::try_from(position).unwrap(), artist],
            );
        }
        self
    }

    /// As every batch that changes plays does, this lets the user's version grow.
    pub fn plays(&self, user: i64, plays: &[ScenePlay]) -> &Self {
        self.0.db.with(|connection| {
            let transaction = connection.unchecked_transaction().unwrap();
            for play in plays {
                let seen = |by: bool| by.then_some(0);
                let values = params![
                    user,
                    play.ended_at.0,
                    play.track,
                    play.ordinal,
                    play.kind.code(),
                    play.ms_played,
                    seen(play.api),
                    seen(play.extended),
                    seen(play.account)
                ];
                let sql = "INSERT INTO plays (user_id, ended_at, track_id, ordinal, kind, ms_played, api_offset_ms,
                             extended_offset_ms, account_offset_ms, flags) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)";
                transaction.prepare_cached(sql).unwrap().execute(values).unwrap();
            }
            transaction.commit().unwrap();
        });
        self.write("UPDATE users SET plays_version = plays_version + 1 WHERE id = ?1", params![user])
    }

    /// So many plays of as many tracks just before `now`, each title, artist and album a thousand letters that JSON writes at
    /// length. Ids begin at 1.
    pub fn plays_of_odd_names(&self, user: i64, count: i64, now: Millis) -> &Self {
        let odd = |what: &str, id: i64| format!("{what} {id} {}", "\u{1f3b5}\"\u{7}".repeat(330));
        for id in 1..=count {
            self.artist(id, &odd("artist", id)).track(&SceneTrack {
                id,
                title: Some(odd("title", id)),
                artist_name: Some(odd("artist", id)),
                album_name: Some(odd("album", id)),
                artists: vec![id],
                ..SceneTrack::default()
            });
        }
        let plays: Vec<ScenePlay> = (1..=count).map(|id| ScenePlay::new(now.minus_ms(id), id, 60_000)).collect();
        self.plays(user, &plays)
    }

    fn write(&self, sql: &str, values: impl rusqlite::Params) -> &Self {
        self.0.db.with(|connection| connection.execute(sql, values)).unwrap();
        self
    }
}
