//! The MCP endpoint: JSON-RPC over one path, for assistants of both eras of the protocol. Clients up to 2025-11-25 shake
//! hands with `initialize`; since 2026-07-28 every request says for itself what it needs said.
//!
//! Must stay true:
//! * there is no session: a request is answered from itself and its credential alone;
//! * whatever a body holds, the answer is JSON-RPC, and its status one that the client's era expects;
//! * what a tool itself decides is a result that a model can act on, never a protocol error.

mod completion;
mod discovery;
pub mod endpoint;
mod era;
mod message;
mod prompts;
mod reply;
mod resources;
#[cfg(test)]
mod tests;
mod tools;

use serde_json::{Map, Value};

pub use self::era::{METHOD_HEADER, NAME_HEADER, VERSION_HEADER};
use self::{
    era::Era,
    reply::{Reply, RpcError},
};
use crate::{app::App, http::auth::Caller};

/// Who asks, and by which era's rules.
struct Asking {
    app: App,
    caller: Caller,
    era: Era,
}

/// Every method there is, each in the file of its group.
async fn dispatch(asking: &Asking, method: &str, params: Map<String, Value>) -> Result<Reply, RpcError> {
    match (asking.era, method) {
        (Era::Handshake, "initialize") => discovery::initialize(params),
        (Era::Handshake, "ping") => Ok(Reply::empty()),
        (Era::PerRequest, "server/discover") => Ok(discovery::discover()),
        (_, "tools/list") => tools::list(asking, &params),
        (_, "tools/call") => tools::call(asking, params).await,
        (_, "resources/list") => resources::list(asking, &params).await,
        (_, "resources/templates/list") => resources::list_templates(&params),
        (_, "resources/read") => resources::read(asking, params).await,
        (_, "prompts/list") => prompts::list(&params),
        (_, "prompts/get") => prompts::get(asking, params),
        (_, "completion/complete") => completion::complete(asking, params).await,
        _ => Err(RpcError::unknown_method(method)),
    }
}
