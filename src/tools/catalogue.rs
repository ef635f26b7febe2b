//! What is listed about the tools, as the golden file holds it.
//!
//! Must stay true: the file is rendered from the registry (see `description.rs`) and a test fails when it is stale, so
//! that it describes exactly the tools of the registry, in the same order.

use std::sync::LazyLock;

use serde_json::Value;

/// All tools as `GET /mcp/tools` lists them, sorted by name.
pub const TEXT: &str = include_str!("catalogue.golden.json");

/// The same, read once for each isolate.
pub fn value() -> &'static Value {
    static VALUE: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(TEXT).unwrap_or_default());
    &VALUE
}
