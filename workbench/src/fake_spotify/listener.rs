//! Those who listen, and what Spotify shows of it.
//!
//! Must stay true: a play is shown from `visible_at_ms` on and stands at its own end, so that a late one comes in between.

use super::FakeTrack;

/// Somebody with a Spotify account.
#[derive(Clone, Debug)]
pub struct Listener {
    pub id: String,
    /// Given by `/me` since May 2026; `None` plays the time before.
    pub account_id: Option<String>,
    pub display_name: Option<String>,
    /// Whether the app's owner has put them on the app's list.
    pub is_on_allow_list: bool,
    /// Scopes that they grant of those asked for; `None`: all.
    pub grants_only: Option<Vec<String>>,
    pub listening: Listening,
}

/// What somebody listens to.
#[derive(Clone, Debug)]
pub enum Listening {
    /// These plays, by their end.
    Listed(Vec<FakePlay>),
    /// A track every three minutes and a half, as the clock goes, from the beginning of time; the seed chooses which.
    Automatic { seed: u64 },
}

/// One play.
#[derive(Clone, Debug)]
pub struct FakePlay {
    pub ended_at_ms: i64,
    /// When Spotify's list begins to show it.
    pub visible_at_ms: i64,
    pub track: FakeTrack,
    pub context_uri: Option<String>,
}

/// What Spotify shows at most.
pub const SHOWN: usize = 50;
const AUTOMATIC_EVERY_MS: i64 = 210_000;

impl Listener {
    /// Somebody with a list of plays to be filled.
    pub fn new(id: &str, display_name: &str) -> Self {
        Self {
            id: id.to_owned(),
            account_id: Some(format!("account-of-{id}")),
            display_name: Some(display_name.to_owned()),
            is_on_allow_list: true,
            grants_only: None,
            listening: Listening::Listed(Vec::new()),
        }
    }

    pub fn automatic(id: &str, display_name: &str, seed: u64) -> Self {
        Self { listening: Listening::Automatic { seed }, ..Self::new(id, display_name) }
    }

    /// One more play, shown at once.
    pub fn play(&mut self, ended_at_ms: i64, track: FakeTrack) {
        self.play_shown_from(ended_at_ms, ended_at_ms, track);
    }

    /// One more play, shown later than it ended.
    pub fn play_shown_from(&mut self, visible_at_ms: i64, ended_at_ms: i64, track: FakeTrack) {
        let context_uri = track.album_id.as_ref().map(|id| format!("spotify:album:{id}"));
        let play = FakePlay { ended_at_ms, visible_at_ms, track, context_uri };
        if let Listening::Listed(plays) = &mut self.listening {
            let at = plays.partition_point(|known| known.ended_at_ms <= ended_at_ms);
            plays.insert(at, play);
        }
    }

    /// The last plays that Spotify shows at an instant, the latest first.
    pub fn recent(&self, now_ms: i64) -> Vec<FakePlay> {
        match &self.listening {
            Listening::Listed(plays) => {
                let shown =
                    plays.iter().rev().filter(|play| play.visible_at_ms <= now_ms && play.ended_at_ms <= now_ms);
                shown.take(SHOWN).cloned().collect()
            }
            Listening::Automatic { seed } => {
                let latest = now_ms / AUTOMATIC_EVERY_MS;
                (0..50).map(|back| automatic_play(*seed, latest - back)).collect()
            }
        }
    }
}

fn automatic_play(seed: u64, number: i64) -> FakePlay {
    let mixed = mix(seed ^ number.unsigned_abs());
    let track = FakeTrack::numbered(mixed % 400);
    let ended_at_ms = number * AUTOMATIC_EVERY_MS + 381;
    let context_uri = track.album_id.as_ref().map(|id| format!("spotify:album:{id}"));
    FakePlay { ended_at_ms, visible_at_ms: ended_at_ms, track, context_uri }
}

/// Splitmix64's last steps: equal input, equal output, no pattern.
const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
