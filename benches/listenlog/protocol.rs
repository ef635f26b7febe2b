//! What the MCP envelope costs: the same tool call over `POST /mcp` and over `POST /tools/{name}`, turn by turn.

use listenlog_workbench::client::Client;
use serde_json::{Value, json};

use crate::{
    Extent, Failure,
    measure::{Times, ms, timed},
    questions::windows,
    report::{Line, Report},
    say,
    worker::{Worker, accepted},
};

const TOOLS: [&str; 2] = ["history_top_artists", "history_taste_summary"];
const BOUND_MS: f64 = 1.0;

pub fn measure(extent: Extent, worker: &Worker, report: &mut Report) -> Result<(), Failure> {
    say("The MCP envelope");
    let newest_ms: i64 = worker.value("SELECT max(ended_at) FROM plays")?;
    let [last_90_days, _] = windows(newest_ms)?;
    let client = worker.client();
    let turns = if extent.quick { 5 } else { 200 };
    for tool in TOOLS {
        let (mut plain, mut enveloped) = (Vec::new(), Vec::new());
        for _ in 0..turns {
            let (took, direct) = timed(|| ask_plainly(&client, tool, &last_90_days.arguments))?;
            plain.push(took);
            let (took, wrapped) = timed(|| ask_enveloped(&client, tool, &last_90_days.arguments))?;
            enveloped.push(took);
            if direct.get("items") != wrapped.get("items") {
                return Err(format!("{tool} says something else over MCP").into());
            }
        }
        let (plain, enveloped) = (Times::of(plain), Times::of(enveloped));
        let over_ms = ms(enveloped.median()) - ms(plain.median());
        report.add(
            Line::new(format!("{tool}, 90 days: POST /mcp over POST /tools"))
                .ours(format!("{over_ms:+.2} ms"))
                .native(format!("{:.2} ms", ms(plain.median())))
                .bound(format!("<= {BOUND_MS:.0} ms more"))
                .reached(over_ms <= BOUND_MS),
        );
    }
    Ok(())
}

fn ask_plainly(client: &Client, tool: &str, arguments: &Value) -> Result<Value, Failure> {
    accepted(&client.post_json(&format!("/tools/{tool}"), arguments)?)
}

fn ask_enveloped(client: &Client, tool: &str, arguments: &Value) -> Result<Value, Failure> {
    let params = json!({ "name": tool, "arguments": arguments });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let answer = accepted(&client.post_json("/mcp", &message)?)?;
    answer.pointer("/result/structuredContent").cloned().ok_or_else(|| "an MCP answer without its result".into())
}
