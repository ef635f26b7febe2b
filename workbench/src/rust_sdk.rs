//! The protocol's official Rust SDK as a client of the MCP endpoint, and what any client of the end-to-end tests saw.
//!
//! Behind a feature of its own, since it brings an HTTP client and a runtime that nothing else here needs.

use std::error::Error;

use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt, Peer, RoleClient,
    model::{
        CallToolRequestParams, GetPromptRequestParams, JsonObject, ProtocolVersion, ReadResourceRequestParams,
        ResourceContents,
    },
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// What is asked for by name.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub tool: &'a str,
    /// For the tool: a JSON object.
    pub arguments: &'a Value,
    /// The address of a resource that is a text.
    pub resource: &'a str,
    /// A prompt that needs no arguments.
    pub prompt: &'a str,
}

/// What a client saw, whichever program it was.
#[derive(Debug, Deserialize)]
pub struct Seen {
    /// Names.
    pub tools: Vec<String>,
    /// Addresses.
    pub resources: Vec<String>,
    /// Names.
    pub prompts: Vec<String>,
    /// The tool's answer, as a text.
    pub text: String,
    /// Whether its structured form says the same. The client tells: some languages have one kind of number for 0 and 0.0.
    pub agree: bool,
    pub resource_text: String,
    /// The first message of the prompt.
    pub prompt_text: String,
    /// Whether wrong arguments gave a result that says so, and no broken connection.
    pub refused: bool,
}

/// A client that is asked nothing back.
struct Plain;

impl ClientHandler for Plain {}

/// Connects to `url` with the bearer `token`, and lists, calls and reads. `version` is the revision of the protocol to come to, by
/// the lifecycle of its era.
///
/// # Errors
/// Whatever the SDK does not take, in its own words.
pub fn list_and_call(url: &str, token: &str, version: &str, asked: &Asked<'_>) -> Result<Seen, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let config = StreamableHttpClientTransportConfig::with_uri(url).auth_header(token);
        let transport = StreamableHttpClientTransport::from_config(config);
        let lifecycle = if version == ProtocolVersion::LATEST_WITH_INITIALIZE.as_str() {
            ClientLifecycleMode::Initialize
        } else {
            ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::LATEST] }
        };
        let client = Plain.serve_with_lifecycle(transport, lifecycle).await?;
        let spoken = client.peer_info().map(|peer| peer.protocol_version.to_string()).unwrap_or_default();
        if spoken != version {
            return Err(format!("{spoken} was agreed on instead of {version}").into());
        }
        let seen = look(&client, asked).await?;
        client.cancel().await?;
        Ok(seen)
    })
}

async fn look(client: &Peer<RoleClient>, asked: &Asked<'_>) -> Result<Seen, Box<dyn Error>> {
    let call = |arguments: &Value| {
        let arguments: JsonObject = arguments.as_object().cloned().unwrap_or_default();
        client.call_tool(CallToolRequestParams::new(asked.tool.to_owned()).with_arguments(arguments))
    };
    let called = call(asked.arguments).await?;
    let refused = call(&json!({ "days": "many" })).await?;
    let text = called.content.first().and_then(|block| block.as_text()).ok_or("a result without a text")?;
    let read = client.read_resource(ReadResourceRequestParams::new(asked.resource)).await?;
    let Some(ResourceContents::TextResourceContents { text: resource_text, .. }) = read.contents.into_iter().next()
    else {
        return Err("a resource that is no text".into());
    };
    let prompt = client.get_prompt(GetPromptRequestParams::new(asked.prompt)).await?;
    let message = prompt.messages.first().and_then(|message| message.content.as_text());
    Ok(Seen {
        tools: client.list_all_tools().await?.into_iter().map(|tool| tool.name.into_owned()).collect(),
        resources: client.list_all_resources().await?.into_iter().map(|resource| resource.uri.clone()).collect(),
        prompts: client.list_all_prompts().await?.into_iter().map(|prompt| prompt.name).collect(),
        text: text.text.clone(),
        agree: called.structured_content == serde_json::from_str(&text.text)?,
        resource_text,
        prompt_text: message.ok_or("a prompt without a text")?.text.clone(),
        refused: refused.is_error == Some(true),
    })
}
