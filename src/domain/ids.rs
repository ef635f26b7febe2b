//! Identities that follow from what a source said, and ids that the database hands out.
//!
//! A track, song or artist id is a hash of its identity, so that the same name or URI is the same row whoever met it
//! first: two imports, a poll and a second user need no look-up and cannot race. Must stay true:
//! * a derived id is 52 bits of SHA-256, positive, and exact in JSON and in a JavaScript number;
//! * the prefix (`uri`, `song`, `artist`) and the normalisation are part of the identity: changing either orphans
//!   every stored row. At 100,000 tracks the chance that any two collide is about one in a million.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::normal_form::nfkc;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

id!(
    /// A person whose history is kept.
    UserId
);
id!(
    /// A track row: derived from the Spotify URI, or, when a source gave only names, equal to the song's id.
    TrackId
);
id!(
    /// Artist and title, normalised: what is left of a track when a source gives only names.
    SongId
);
id!(
    /// An artist, derived from the normalised name.
    ArtistId
);
id!(
    /// One import of one archive.
    ImportJobId
);
id!(
    /// One file of one import.
    ImportFileId
);
id!(
    /// One run of one job.
    JobRunId
);
id!(
    /// A credential of one user that was issued here; ids of each kind of credential are their own.
    CredentialId
);

impl TrackId {
    /// The track that a Spotify URI names (`spotify:track:...`, `spotify:episode:...`, `spotify:local:...`).
    pub fn from_uri(uri: &str) -> Self {
        Self(derived_id(&["uri", uri]))
    }
}

impl SongId {
    pub fn from_names(artist: &str, title: &str) -> Self {
        Self(derived_id(&["song", &normalised(artist), &normalised(title)]))
    }

    /// The track row for plays that were only ever named, never given a URI.
    pub const fn as_track(self) -> TrackId {
        TrackId(self.0)
    }
}

impl ArtistId {
    pub fn from_name(name: &str) -> Self {
        Self(derived_id(&["artist", &normalised(name)]))
    }
}

/// A name as it is compared: compatibility-composed, lower case, white space folded to single blanks.
pub fn normalised(name: &str) -> String {
    if name.is_ascii() {
        return fold_white_space(&name.to_ascii_lowercase());
    }
    let folded: String = nfkc(name).chars().flat_map(char::to_lowercase).collect();
    fold_white_space(&folded)
}

fn fold_white_space(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    for word in name.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    folded
}

fn derived_id(parts: &[&str]) -> i64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    let bits = digest.iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte)) >> 12;
    // Zero would read as "no id"; 52 bits always fit.
    i64::try_from(bits).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_in_other_clothes_is_the_same_artist() {
        let plain = ArtistId::from_name("Sigur Rós");
        assert_eq!(plain, ArtistId::from_name("  SIGUR   RÓS "));
        assert_eq!(plain, ArtistId::from_name("Sigur Ro\u{301}s"));
        assert_ne!(plain, ArtistId::from_name("Sigur Ros"));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(SongId::from_names("a b", "c"), SongId::from_names("a", "b c"));
        assert_ne!(SongId::from_names("x", "y").0, ArtistId::from_name("x").0);
    }

    /// Stored ids depend on these numbers: a change here orphans every row of every installation.
    #[test]
    fn derived_ids_never_change() {
        assert_eq!(TrackId::from_uri("spotify:track:4uLU6hMCjMI75M1A2tKUQC").0, 3_178_737_745_935_290);
        assert_eq!(SongId::from_names("Radiohead", "Let Down").0, 586_003_910_510_800);
        assert_eq!(ArtistId::from_name("Radiohead").0, 344_245_371_921_545);
    }
}
