//! Bodies that no client would send.

use serde_json::{Value, json};

use super::{app, send, token};

/// A reproducible throw of dice.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

const WORDS: [&str; 16] = [
    "",
    "2.0",
    "tools/call",
    "tools/list",
    "resources/read",
    "prompts/get",
    "completion/complete",
    "initialize",
    "server/discover",
    "history_coverage",
    "ref/prompt",
    "\u{0}",
    "🎵 Ελλάδα",
    "\u{202e}evil",
    "a\u{301}\u{200d}",
    "null",
];
const MEMBERS: [&str; 14] = [
    "jsonrpc",
    "id",
    "method",
    "params",
    "name",
    "arguments",
    "_meta",
    "uri",
    "cursor",
    "ref",
    "argument",
    "value",
    "protocolVersion",
    "days",
];

/// Any JSON at all, not too deep.
fn anything(dice: &mut Dice, depth: usize) -> Value {
    match dice.below(if depth == 0 { 6 } else { 9 }) {
        0 => Value::Null,
        1 => json!(dice.below(2) == 0),
        2 => json!(dice.below(1 << 20)),
        3 => json!(-1.5e300),
        4 | 5 => json!(dice.one_of(&WORDS)),
        6 => (0..dice.below(4)).map(|_| anything(dice, depth - 1)).collect(),
        _ => {
            let members = (0..dice.below(5)).map(|_| ((*dice.one_of(&MEMBERS)).to_owned(), anything(dice, depth - 1)));
            Value::Object(members.collect())
        }
    }
}

/// A request that is nearly right.
fn nearly_right(dice: &mut Dice) -> Value {
    let method = *dice.one_of(&WORDS);
    let mut message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": "history_coverage"}});
    for _ in 0..=dice.below(3) {
        let value = anything(dice, 3);
        match dice.below(4) {
            0 => message["params"] = value,
            1 => message["params"]["arguments"] = value,
            2 => message[*dice.one_of(&MEMBERS)] = value,
            _ => drop(message.as_object_mut().unwrap().remove(*dice.one_of(&MEMBERS))),
        }
        if !message["params"].is_object() {
            break;
        }
    }
    message
}

/// The bytes of a body: a message whole, cut, or with a byte changed.
fn body(dice: &mut Dice) -> Vec<u8> {
    let message = if dice.below(3) == 0 { anything(dice, 4) } else { nearly_right(dice) };
    let mut bytes = message.to_string().into_bytes();
    match dice.below(4) {
        0 => bytes.truncate(dice.below(bytes.len() + 1)),
        1 => {
            let at = dice.below(bytes.len());
            bytes[at] = u8::try_from(dice.below(256)).unwrap();
        }
        _ => {}
    }
    bytes
}

#[test]
fn ten_thousand_malformed_bodies_get_answers_that_are_json_rpc() {
    let app = app();
    let bearer = format!("Bearer {}", token(&app, &["read", "ops"]));
    let mut dice = Dice(20_260_728);
    let mut codes = std::collections::BTreeMap::<i64, u32>::new();
    for number in 0..10_000 {
        let body = body(&mut dice);
        let shown = String::from_utf8_lossy(&body).into_owned();
        let mut headers = vec![("authorization", bearer.as_str())];
        if dice.below(3) == 0 {
            headers.push(("mcp-protocol-version", *dice.one_of(&["2026-07-28", "2025-11-25", "2025-06-18", "", "x"])));
            headers.push(("mcp-method", *dice.one_of(&["tools/call", "tools/list", "server/discover"])));
        }
        let answer = send(&app, &headers, body);
        let status = answer.status.as_u16();
        assert!(status < 500, "{number}: {status} for {shown}");
        if status == 202 {
            assert!(answer.bytes.is_empty());
            continue;
        }
        let message = answer.json();
        assert_eq!(message["jsonrpc"], "2.0", "{number}: {shown}");
        let (result, error) = (message.get("result"), message.get("error"));
        assert!(result.is_some() != error.is_some(), "{number}: {shown}");
        assert!(message.get("id").is_none_or(|id| id.is_string() || id.is_i64() || id.is_u64()), "{number}: {message}");
        if let Some(error) = error {
            assert!(
                error["message"].as_str().is_some_and(|text| (1..1_000).contains(&text.len())),
                "{number}: {message}"
            );
            *codes.entry(error["code"].as_i64().unwrap()).or_default() += 1;
        }
    }
    // The dice reach every way of refusing.
    for code in [-32_700, -32_600, -32_601, -32_602, -32_020] {
        assert!(codes.get(&code).is_some_and(|count| *count > 50), "{codes:?}");
    }
}

#[test]
fn what_is_wrong_with_a_message_is_told_by_its_code() {
    let app = app();
    for (body, status, code) in [
        ("", 400, -32_700),
        ("{\"jsonrpc\":", 400, -32_700),
        (&*"[".repeat(30_000), 400, -32_700),
        ("[]", 400, -32_600),
        ("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", 400, -32_600),
        ("\"ping\"", 400, -32_600),
        ("{}", 400, -32_600),
        ("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", 400, -32_600),
        ("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", 400, -32_600),
        ("{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}", 400, -32_600),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":3}", 400, -32_600),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":[1]}", 400, -32_602),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":\"🎵\",\"method\":\"tools/call\",\"params\":{\"name\":\"\u{202e}\"}}",
            200,
            -32_602,
        ),
    ] {
        let answer = send(&app, &[], body.to_owned());
        let message = answer.json();
        assert_eq!((answer.status.as_u16(), message["error"]["code"].as_i64()), (status, Some(code)), "{body:.60}");
        let has_id = body.starts_with('{') && (body.contains("\"id\":1,") || body.contains('🎵'));
        assert_eq!(message.get("id").is_some(), has_id, "{body:.60}");
    }
}
