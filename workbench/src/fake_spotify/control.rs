//! How a running fake is told what to do: `POST /control` with one command as JSON; `GET /control` tells how often each
//! path was asked for.

use serde::Deserialize;
use serde_json::json;

use super::{FakeSpotify, FakeTrack, Fault, Listener, Reply};

/// One thing to do.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Command {
    /// Misbehave the next `times` times on paths that begin with `path`.
    Fail { path: String, fault: Fault, times: u32 },
    /// Forget planned misbehaviour.
    Behave,
    /// Let the fake's clock go ahead, or back.
    Advance { ms: i64 },
    /// Whether refreshing gives a new refresh token and retires the old.
    Rotate { on: bool },
    /// How long access tokens live from now on.
    TokenLife { seconds: i64 },
    /// A listener, in place of any of that id.
    Listener { id: String, display_name: String, is_on_allow_list: Option<bool>, grants_only: Option<Vec<String>> },
    /// A play of the track of that number; shown at once unless it says when.
    Play { listener: String, ended_at_ms: i64, track: u64, visible_at_ms: Option<i64> },
    /// Another app.
    App { client_id: String, client_secret: String },
}

impl FakeSpotify {
    /// Does what a command says; how far to move the clock comes back, since the clock is the server's.
    pub fn obey(&mut self, command: Command) -> i64 {
        match command {
            Command::Fail { path, fault, times } => self.fail(&path, fault, times),
            Command::Behave => self.behave(),
            Command::Advance { ms } => return ms,
            Command::Rotate { on } => self.rotates_refresh_tokens = on,
            Command::TokenLife { seconds } => self.access_token_life_s = seconds,
            Command::Listener { id, display_name, is_on_allow_list, grants_only } => {
                let is_on_allow_list = is_on_allow_list.unwrap_or(true);
                self.add_listener(Listener { is_on_allow_list, grants_only, ..Listener::new(&id, &display_name) });
            }
            Command::Play { listener, ended_at_ms, track, visible_at_ms } => {
                if let Some(listener) = self.listener(&listener) {
                    let visible_at_ms = visible_at_ms.unwrap_or(ended_at_ms);
                    listener.play_shown_from(visible_at_ms, ended_at_ms, FakeTrack::numbered(track));
                }
            }
            Command::App { client_id, client_secret } => self.add_app(&client_id, &client_secret),
        }
        0
    }

    /// What was asked for so far.
    pub fn report(&self) -> Reply {
        Reply::json(200, &json!({"asked": self.asked}))
    }
}
