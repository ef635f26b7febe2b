//! What the Worker itself does, as its engine's profiler sees it: without database, storage and queue, which the local
//! runtime keeps in the same process, and which the platform does not charge to the Worker either.
//!
//! Must stay true: time outside the Worker is never counted for it.

use std::{io, net::TcpStream, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// How often the profiler looks.
const LOOK_EVERY_US: i64 = 250;
/// Between two looks of which one comes so late, the thread did something else, or waited.
const ELSEWHERE_US: i64 = 4 * LOOK_EVERY_US;

/// A connection to the Worker's inspector.
pub struct Inspector {
    socket: WebSocket<TcpStream>,
    calls: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    nodes: Vec<Node>,
    samples: Vec<u64>,
    time_deltas: Vec<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    id: u64,
    call_frame: CallFrame,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallFrame {
    function_name: String,
}

impl Inspector {
    pub(super) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        let url = format!("ws://127.0.0.1:{port}/ws");
        let (socket, _) = tungstenite::client(url, stream).map_err(io::Error::other)?;
        Ok(Self { socket, calls: 0 })
    }

    /// From here on the profiler looks.
    ///
    /// # Errors
    /// When the inspector does not answer.
    pub fn start(&mut self) -> io::Result<()> {
        self.call("Profiler.enable", &json!({}))?;
        self.call("Profiler.setSamplingInterval", &json!({"interval": LOOK_EVERY_US}))?;
        self.call("Profiler.start", &json!({})).map(drop)
    }

    /// The time that the Worker has taken since [`Inspector::start`].
    ///
    /// # Errors
    /// When the inspector does not answer, or not with a profile.
    pub fn stop(&mut self) -> io::Result<Duration> {
        let mut answer = self.call("Profiler.stop", &json!({}))?;
        let profile = answer.pointer_mut("/result/profile").map(Value::take).unwrap_or_default();
        let profile: Profile = serde_json::from_value(profile)?;
        let is_busy = |sample: u64| {
            let node = profile.nodes.iter().find(|node| node.id == sample);
            node.is_some_and(|node| {
                !matches!(node.call_frame.function_name.as_str(), "(idle)" | "(program)" | "(root)")
            })
        };
        let looks = profile.samples.iter().zip(&profile.time_deltas);
        let busy_us = looks
            .filter(|(sample, _)| is_busy(**sample))
            .map(|(_, delta)| if *delta > ELSEWHERE_US { LOOK_EVERY_US } else { *delta })
            .sum::<i64>();
        Ok(Duration::from_micros(busy_us.unsigned_abs()))
    }

    fn call(&mut self, method: &str, params: &Value) -> io::Result<Value> {
        self.calls += 1;
        let id = self.calls;
        let question = json!({"id": id, "method": method, "params": params}).to_string();
        self.socket.send(Message::text(question)).map_err(io::Error::other)?;
        loop {
            let message = self.socket.read().map_err(io::Error::other)?;
            let answer: Value =
                message.to_text().map_or(Value::Null, |text| serde_json::from_str(text).unwrap_or_default());
            // Events come between the answers.
            if answer.get("id").is_some_and(|answered| *answered == id) {
                return Ok(answer);
            }
        }
    }
}
