//! What this server is: the handshake of one era, the discovery of the other.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    era::{HANDSHAKE_VERSIONS, VERSIONS},
    reply::{Freshness, Reply, RpcError, read},
};

/// For the model, before it has seen a tool. Some hosts show it no more than the first 512 characters.
pub const INSTRUCTIONS: &str = "\
Listenlog knows one listener's whole Spotify history, play by play, and counts it exactly. Start with \
history_taste_summary for broad questions; history_top_artists, history_top_tracks and history_top_albums rank; \
history_listening_heatmap says when; history_coverage says how complete the data is: ask it before you call anything \
complete or missing. Without a window an answer covers the last 90 days: pass days=36500 for all time, or from and to. \
Leave user_id out unless told otherwise.
Repeat coverage_note whenever it is not null. Dates, weekdays and hours are the listener's own. A play counts when it lasted \
30 seconds or more, or its length is unknown; counted.rule says so in every answer. An error names the argument that is \
wrong and what is allowed: correct it and call again. Compare periods by asking once for each. The resource \
listenlog://guide says which tool answers which question.";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Initialize {
    protocol_version: String,
    #[serde(rename = "capabilities")]
    _capabilities: Map<String, Value>,
}

/// `initialize`: the version that was asked for if it is spoken, else the newest with a handshake.
pub fn initialize(params: Map<String, Value>) -> Result<Reply, RpcError> {
    let asked_for = read::<Initialize>(params)?.protocol_version;
    let [newest, ..] = HANDSHAKE_VERSIONS;
    let version = HANDSHAKE_VERSIONS.into_iter().find(|version| *version == asked_for).unwrap_or(newest);
    Ok(Reply::of(json!({
        "protocolVersion": version,
        "capabilities": capabilities(),
        "serverInfo": server_info(),
        "instructions": INSTRUCTIONS,
    })))
}

/// `server/discover`.
pub fn discover() -> Reply {
    let reply = Reply::of(json!({
        "supportedVersions": VERSIONS,
        "capabilities": capabilities(),
        "instructions": INSTRUCTIONS,
    }));
    reply.kept(Freshness::Shared)
}

/// Nothing here ever changes while a client looks at it, so nothing can be subscribed to.
fn capabilities() -> Value {
    json!({ "tools": {}, "resources": {}, "prompts": {}, "completions": {} })
}

pub fn server_info() -> Value {
    json!({ "name": "listenlog", "title": "Listenlog", "version": env!("CARGO_PKG_VERSION") })
}
