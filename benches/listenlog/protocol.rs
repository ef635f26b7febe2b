//! What the MCP envelope costs: the same tool call over `POST /mcp` and over `POST /tools/{name}`, pair by pair.
//!
//! Must stay true: the two of a pair follow each other at once, either one first in turn, so that what else the machine does
//! meets both; what is reported is the median of the differences, not the difference of two medians. Reading the answers is the
//! client's and not in the times.

use std::time::Duration;

use listenlog_workbench::client::{Client, Response};
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
/// Pairs that are asked before anything is measured.
const WARM_UP: usize = 10;

pub fn measure(extent: Extent, worker: &Worker, report: &mut Report) -> Result<(), Failure> {
    say("The MCP envelope");
    let newest_ms: i64 = worker.value("SELECT max(ended_at) FROM plays")?;
    let [last_90_days, _] = windows(newest_ms)?;
    let client = worker.client();
    let pairs = if extent.quick { 6 } else { 600 };
    for tool in TOOLS {
        let call = Call { client: &client, tool, arguments: &last_90_days.arguments };
        for _ in 0..WARM_UP {
            call.pair(false)?;
        }
        let measured = (0..pairs).map(|turn| call.pair(turn % 2 == 1)).collect::<Result<Vec<_>, _>>()?;
        let plain = Times::of(measured.iter().map(|pair| pair.plain).collect());
        let [quarter, median, three_quarters] = quartiles(measured.iter().map(Pair::over_ms).collect());
        report.add(
            Line::new(format!("{tool}, 90 days: POST /mcp over POST /tools"))
                .ours(format!("{median:+.2} ms (half of {pairs} pairs {quarter:+.2} to {three_quarters:+.2})"))
                .native(format!("{:.2} ms", ms(plain.median())))
                .bound(format!("<= {BOUND_MS:.0} ms more"))
                .reached(median <= BOUND_MS),
        );
    }
    Ok(())
}

/// One question.
struct Call<'a> {
    client: &'a Client,
    tool: &'a str,
    arguments: &'a Value,
}

/// How long its two answers took.
struct Pair {
    plain: Duration,
    enveloped: Duration,
}

impl Pair {
    /// How much longer the enveloped answer took, in milliseconds; below 0, it was the faster one.
    fn over_ms(&self) -> f64 {
        ms(self.enveloped) - ms(self.plain)
    }
}

impl Call<'_> {
    fn pair(&self, enveloped_first: bool) -> Result<Pair, Failure> {
        let (direct, wrapped);
        if enveloped_first {
            wrapped = timed(|| self.ask_enveloped())?;
            direct = timed(|| self.ask_plainly())?;
        } else {
            direct = timed(|| self.ask_plainly())?;
            wrapped = timed(|| self.ask_enveloped())?;
        }
        let ((plain, direct), (enveloped, wrapped)) = (direct, wrapped);
        let (direct, wrapped) = (accepted(&direct)?, accepted(&wrapped)?);
        if wrapped.pointer("/result/structuredContent") != Some(&direct) {
            return Err(format!("{} says something else over MCP", self.tool).into());
        }
        Ok(Pair { plain, enveloped })
    }

    fn ask_plainly(&self) -> Result<Response, Failure> {
        Ok(self.client.post_json(&format!("/tools/{}", self.tool), self.arguments)?)
    }

    fn ask_enveloped(&self) -> Result<Response, Failure> {
        let params = json!({ "name": self.tool, "arguments": self.arguments });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        Ok(self.client.post_json("/mcp", &message)?)
    }
}

/// What a quarter, a half and three quarters of these do not exceed.
fn quartiles(mut numbers: Vec<f64>) -> [f64; 3] {
    numbers.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarters| numbers.get(numbers.len() * quarters / 4).copied().unwrap_or_default())
}
