//! Every route by every method with every kind of credential in every mode.

use axum::http::{HeaderMap, HeaderValue, Method, Request, header};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Asked, METHODS, every_path, send_watched, stored};
use crate::{
    domain::role::Role,
    http::Access,
    testing::{TestApp, test_app::Answer},
};

const TOKEN: &str = "tökén of the admin";
const NAME: &str = "ada";
const PASSWORD: &str = "pass:wörd";
const ELSEWHERE: &str = "listenlog.example";
const HERE: &str = "127.0.0.1:8787";

/// How the Worker is set up, and where it is asked.
struct Mode {
    name: &'static str,
    vars: &'static [(&'static str, &'static str)],
    host: &'static str,
    opens: Opens,
}

/// Who gets in.
#[derive(Clone, Copy)]
enum Opens {
    /// Whoever has this; all others hear this challenge.
    With { right: fn() -> Vec<u8>, challenge: &'static str },
    /// Anyone.
    ForAll,
    /// Nobody: 503 that names this variable.
    ForNone { variable: &'static str },
}

fn bearer() -> Vec<u8> {
    format!("Bearer {TOKEN}").into_bytes()
}

fn basic() -> Vec<u8> {
    encoded(NAME, PASSWORD)
}

fn encoded(name: &str, password: &str) -> Vec<u8> {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))).into_bytes()
}

const TOKEN_MODE: Mode = Mode {
    name: "token",
    vars: &[("ADMIN_AUTH_MODE", "token"), ("ADMIN_TOKEN", TOKEN)],
    host: ELSEWHERE,
    opens: Opens::With { right: bearer, challenge: "Bearer realm=" },
};

const MODES: [Mode; 10] = [
    TOKEN_MODE,
    Mode {
        name: "basic",
        vars: &[("ADMIN_AUTH_MODE", "basic"), ("ADMIN_USERNAME", NAME), ("ADMIN_PASSWORD", PASSWORD)],
        host: ELSEWHERE,
        opens: Opens::With { right: basic, challenge: "Basic realm=" },
    },
    Mode {
        name: "disabled, on this machine",
        vars: &[("ADMIN_AUTH_MODE", "disabled")],
        host: HERE,
        opens: Opens::ForAll,
    },
    Mode { name: "empty, on this machine", vars: &[("ADMIN_AUTH_MODE", "")], host: HERE, opens: Opens::ForAll },
    Mode {
        name: "disabled, elsewhere",
        vars: &[("ADMIN_AUTH_MODE", "disabled")],
        host: ELSEWHERE,
        opens: Opens::ForNone { variable: "ADMIN_AUTH_MODE" },
    },
    Mode {
        name: "empty, elsewhere",
        vars: &[("ADMIN_AUTH_MODE", "")],
        host: ELSEWHERE,
        opens: Opens::ForNone { variable: "ADMIN_AUTH_MODE" },
    },
    Mode { name: "missing", vars: &[], host: HERE, opens: Opens::ForNone { variable: "ADMIN_AUTH_MODE" } },
    Mode {
        name: "unknown",
        vars: &[("ADMIN_AUTH_MODE", "sesame"), ("ADMIN_TOKEN", TOKEN)],
        host: HERE,
        opens: Opens::ForNone { variable: "ADMIN_AUTH_MODE" },
    },
    Mode {
        name: "token without one",
        vars: &[("ADMIN_AUTH_MODE", "token"), ("ADMIN_TOKEN", "")],
        host: HERE,
        opens: Opens::ForNone { variable: "ADMIN_TOKEN" },
    },
    Mode {
        name: "basic without a password",
        vars: &[("ADMIN_AUTH_MODE", "basic"), ("ADMIN_USERNAME", NAME)],
        host: HERE,
        opens: Opens::ForNone { variable: "ADMIN_PASSWORD" },
    },
];

/// What may stand in the Authorization headers of a request: none, one or several.
fn credentials() -> Vec<Vec<Vec<u8>>> {
    let one = |value: &[u8]| vec![value.to_vec()];
    vec![
        vec![],
        one(b""),
        one(b"Bearer"),
        one(b"Bearer "),
        one(b"Bearer wrong"),
        one(format!("Bearer {TOKEN}2").as_bytes()),
        one(format!("Bearer  {TOKEN}").as_bytes()),
        one(TOKEN.as_bytes()),
        one(b"Bearer \xff\xfe"),
        one(b"Digest x"),
        one(b"Basic"),
        one(b"Basic !!!"),
        one(format!("Basic {}", STANDARD.encode("no colon")).as_bytes()),
        one(format!("Basic {}", STANDARD.encode(b"\xff\xfe:\xff")).as_bytes()),
        one(&encoded(NAME, "wrong")),
        one(&encoded("eve", PASSWORD)),
        one(&bearer()),
        one(&basic()),
        // Two of them, even right ones: whoever is in front may have looked at the other.
        vec![bearer(), bearer()],
        vec![basic(), b"Bearer wrong".to_vec()],
    ]
}

/// An answer, and whether the request's body was touched for it.
struct Heard {
    answer: Answer,
    body_was_read: bool,
}

fn ask(app: &TestApp, host: &str, method: &Method, path: &str, credential: &[Vec<u8>]) -> Heard {
    let mut request = Request::builder().method(method).uri(format!("http://{host}{path}"));
    for value in credential {
        request = request.header(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
    }
    let (answer, body_was_read) = send_watched(app, request, "{not json");
    Heard { answer, body_was_read }
}

fn assert_refused(mode: &Mode, asked: &str, heard: &Heard) {
    let answer = &heard.answer;
    assert!(!heard.body_was_read, "{asked}: the body was read first");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json", "{asked}");
    assert!(answer.json()["request_id"].is_string(), "{asked}");
    match mode.opens {
        Opens::With { challenge, .. } => {
            assert_eq!(answer.status, 401, "{asked}");
            assert!(challenge_of(&answer.headers).starts_with(challenge), "{asked}: {:?}", answer.headers);
        }
        Opens::ForNone { variable } => {
            assert_eq!(answer.status, 503, "{asked}");
            assert!(answer.json()["detail"].as_str().unwrap().starts_with(variable), "{asked}: {}", answer.json());
        }
        Opens::ForAll => panic!("{asked}: {} refused", mode.name),
    }
}

fn challenge_of(headers: &HeaderMap) -> &str {
    headers.get(header::WWW_AUTHENTICATE).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

/// Whether a request was let through to its route, whatever became of it there.
fn is_let_through(heard: &Heard) -> bool {
    let detail = String::from_utf8_lossy(&heard.answer.bytes).into_owned();
    let is_shut = heard.answer.status == 503 && detail.contains("ADMIN_");
    heard.answer.status != 401 && heard.answer.status != 403 && !is_shut
}

fn guarded() -> Vec<Asked> {
    let unknown = |path: &str| Asked { template: "", path: path.to_owned(), access: Access::Admin(Role::Viewer) };
    let guarded = every_path().into_iter().filter(|asked| asked.access != Access::Public);
    guarded.chain([unknown("/admin"), unknown("/admin/nothing/here")]).collect()
}

#[test]
fn every_guarded_route_opens_for_the_right_credential_alone_in_every_mode() {
    for mode in &MODES {
        let app = TestApp::with_vars(mode.vars);
        let before = stored(&app);
        for asked in guarded() {
            for method in &METHODS {
                for credential in credentials() {
                    let said = format!("{}: {method} {} {credential:?}", mode.name, asked.path);
                    let is_right = match mode.opens {
                        Opens::With { right, .. } => credential == [right()],
                        Opens::ForAll => true,
                        Opens::ForNone { .. } => false,
                    };
                    if is_right {
                        continue;
                    }
                    assert_refused(mode, &said, &ask(&app, mode.host, method, &asked.path, &credential));
                }
            }
        }
        assert_eq!(stored(&app), before, "{}: something was stored for a stranger", mode.name);
    }
}

#[test]
fn the_right_credential_gets_through_to_every_route() {
    for mode in &MODES {
        let right = match mode.opens {
            Opens::With { right, .. } => vec![right()],
            Opens::ForAll => vec![],
            Opens::ForNone { .. } => continue,
        };
        for asked in guarded() {
            for method in &METHODS {
                // Each on its own: what one of them changes is no matter for the next.
                let app = TestApp::with_vars(mode.vars);
                let heard = ask(&app, mode.host, method, &asked.path, &right);
                let said = format!("{}: {method} {}: {}", mode.name, asked.path, heard.answer.status);
                assert!(is_let_through(&heard), "{said}");
            }
        }
    }
}

#[test]
fn public_routes_ask_for_no_credential_in_any_mode() {
    for mode in &MODES {
        let app = TestApp::with_vars(mode.vars);
        for asked in every_path().into_iter().filter(|asked| asked.access == Access::Public) {
            let heard = ask(&app, mode.host, &Method::GET, &asked.path, &[]);
            assert!(is_let_through(&heard), "{}: {}: {}", mode.name, asked.path, heard.answer.status);
        }
    }
}

#[test]
fn the_scheme_s_name_may_be_written_in_any_case() {
    let app = TestApp::with_vars(TOKEN_MODE.vars);
    for scheme in ["bearer", "BEARER", "bEaReR"] {
        let credential = format!("{scheme} {TOKEN}").into_bytes();
        assert_eq!(ask(&app, ELSEWHERE, &Method::GET, "/admin/users", &[credential]).answer.status, 200, "{scheme}");
    }
}
