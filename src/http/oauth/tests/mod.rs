//! The whole flow through the router: as it should go, and as an attacker would have it.

mod codes;
mod consent;
mod documents;
mod flow;
mod grants;
mod redirects;
mod refreshing;
mod registration;

use axum::{
    body::Body,
    http::{Request, Response, header},
};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::testing::{
    TestApp,
    scene::Scene,
    test_app::{ADMIN_TOKEN, Answer},
};

const ISSUER: &str = "https://listenlog.example";
const RESOURCE: &str = "https://listenlog.example/mcp";
/// As Claude sends them.
const CLIENT: &str = "https://claude.ai/oauth/mcp-oauth-client-metadata";
const CALLBACK: &str = "https://claude.ai/api/mcp/auth_callback";
/// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A Worker with two users, and a client with a document about itself.
pub struct Dance {
    pub app: TestApp,
}

/// The page that asks for consent, in the browser it was shown in.
#[derive(Clone)]
struct Question {
    grant: String,
    page_secret: String,
    cookie: String,
    page: Answered,
}

#[derive(Clone)]
struct Answered {
    text: String,
    policy: String,
}

fn form(pairs: &[(&str, &str)]) -> String {
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

/// What `text` has between the two.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).and_then(|(_, rest)| rest.split_once(after)).map(|(found, _)| found).unwrap_or_default()
}

fn document(redirect_uris: &[&str]) -> Value {
    json!({"client_id": CLIENT, "client_name": "Claude", "redirect_uris": redirect_uris, "token_endpoint_auth_method": "none"})
}

fn answering(document: &Value) -> Response<Bytes> {
    let body = Bytes::from(document.to_string());
    Response::builder().header(header::CONTENT_TYPE, "application/json").body(body).unwrap()
}

impl Dance {
    pub fn new() -> Self {
        let vars = [("ADMIN_AUTH_MODE", "token"), ("ADMIN_TOKEN", ADMIN_TOKEN), ("PUBLIC_URL", ISSUER)];
        let app = TestApp::with_vars(&vars);
        Scene(&app).user(1, "UTC").user(2, "UTC");
        app.servers.play(|request| {
            assert_eq!(request.uri().to_string(), CLIENT);
            Ok(answering(&document(&[CALLBACK])))
        });
        Self { app }
    }

    /// Goes on with an app on which another one was begun.
    pub fn on(app: &TestApp) -> Self {
        Self { app: app.clone() }
    }

    pub fn revoke(&self, token: &str) -> Answer {
        self.post("/revoke", &[("token", token), ("client_id", CLIENT)], &[])
    }

    fn get(&self, path: &str) -> Answer {
        self.app.send(Request::get(format!("{ISSUER}{path}")).body(Body::empty()).unwrap())
    }

    fn post(&self, path: &str, pairs: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let mut request =
            Request::post(format!("{ISSUER}{path}")).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.app.send(request.body(Body::from(form(pairs))).unwrap())
    }

    /// `/authorize` as the client asks, with these parameters instead of its own; an empty one is left out.
    fn authorize(instead: &[(&str, &str)]) -> String {
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", CLIENT),
            ("redirect_uri", CALLBACK),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("state", "the state"),
            ("scope", "read ops"),
            ("resource", RESOURCE),
        ];
        for (name, value) in instead {
            pairs.retain(|(own, _)| own != name);
            pairs.push((name, value));
        }
        pairs.retain(|(_, value)| !value.is_empty());
        format!("/authorize?{}", form(&pairs))
    }

    pub fn sign_in(&self, instead: &[(&str, &str)]) -> Answer {
        self.post(&Self::authorize(instead), &[("secret", ADMIN_TOKEN)], &[("sec-fetch-site", "same-origin")])
    }

    fn question(&self, instead: &[(&str, &str)]) -> Question {
        let page = self.sign_in(instead);
        let text = String::from_utf8(page.bytes.clone()).unwrap();
        assert_eq!(page.status, 200, "{text}");
        let cookie = page.headers[header::SET_COOKIE].to_str().unwrap();
        let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        Question {
            grant: between(&text, "name=\"grant\" value=\"", "\"").to_owned(),
            page_secret: between(&text, "name=\"page_secret\" value=\"", "\"").to_owned(),
            cookie: cookie.split(';').next().unwrap().to_owned(),
            page: Answered { text, policy },
        }
    }

    /// Answers a question with these fields beside its hidden ones.
    fn decide(&self, question: &Question, fields: &[(&str, &str)]) -> Answer {
        let mut pairs = vec![("grant", question.grant.as_str()), ("page_secret", question.page_secret.as_str())];
        pairs.extend_from_slice(fields);
        self.post("/authorize", &pairs, &[("cookie", &question.cookie), ("sec-fetch-site", "same-origin")])
    }

    fn allow(&self, question: &Question) -> Answer {
        let fields = [("decision", "allow"), ("user_id", "1"), ("scope_read", "1"), ("scope_ops", "1")];
        self.decide(question, &fields)
    }

    /// Signs in, and tells what the page that asks for consent hands to its form: for [`Self::answer_as_asked`].
    pub fn asked(&self) -> String {
        let Question { grant, page_secret, cookie, .. } = self.question(&[]);
        [grant, page_secret, cookie].join("\n")
    }

    pub fn answer_as_asked(&self, asked: &str, decision: &str) -> Answer {
        let mut parts = asked.lines().map(str::to_owned);
        let mut next = || parts.next().unwrap();
        let page = Answered { text: String::new(), policy: String::new() };
        let question = Question { grant: next(), page_secret: next(), cookie: next(), page };
        self.decide(&question, &[("decision", decision), ("user_id", "1"), ("scope_read", "1"), ("scope_ops", "1")])
    }

    /// Signs in, allows, and tells the code.
    pub fn code(&self) -> String {
        code_of(&self.allow(&self.question(&[])))
    }

    /// The tokens of a grant to ask about a user; `scope` is a field of the form.
    pub fn tokens_of(&self, user: &str, scope: &str) -> Value {
        let decided = self.decide(&self.question(&[]), &[("decision", "allow"), ("user_id", user), (scope, "1")]);
        self.exchange(&code_of(&decided), &[]).json()
    }

    /// Presents a code with these fields instead of the right ones.
    pub fn exchange(&self, code: &str, instead: &[(&str, &str)]) -> Answer {
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", CLIENT),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
            ("resource", RESOURCE),
        ];
        for (name, value) in instead {
            pairs.retain(|(own, _)| own != name);
            pairs.push((name, value));
        }
        pairs.retain(|(_, value)| !value.is_empty());
        self.post("/token", &pairs, &[])
    }

    pub fn tokens(&self) -> Value {
        let answer = self.exchange(&self.code(), &[]);
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    }

    fn refresh(&self, token: &str, client_id: &str) -> Answer {
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client_id)];
        self.post("/token", &pairs, &[])
    }

    /// The status of a question asked with an access token.
    fn ask(&self, access_token: &str, arguments: &Value) -> u16 {
        let request = Request::post(format!("{ISSUER}/tools/history_coverage"))
            .header(header::AUTHORIZATION, format!("Bearer {access_token}"));
        self.app.send(request.body(Body::from(arguments.to_string())).unwrap()).status.as_u16()
    }

    /// What `/mcp` answers to a message with an access token.
    fn message(&self, tokens: &Value, method: &str, params: &Value) -> Answer {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let request = Request::post(RESOURCE)
            .header(header::AUTHORIZATION, format!("Bearer {}", text(tokens, "access_token")))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream");
        self.app.send(request.body(Body::from(message)).unwrap())
    }

    fn opens(&self, tokens: &Value) -> bool {
        match self.ask(text(tokens, "access_token"), &json!({})) {
            200 => true,
            401 => false,
            status => panic!("{status}"),
        }
    }
}

fn code_of(allowed: &Answer) -> String {
    assert_eq!(allowed.status, 303, "{}", String::from_utf8_lossy(&allowed.bytes));
    parameter(allowed, "code")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

/// A parameter of the address a browser is sent to, decoded.
fn parameter(answer: &Answer, name: &str) -> String {
    let location = answer.headers[header::LOCATION].to_str().unwrap();
    let query = location.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let pairs = crate::http::query::form_pairs(query);
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value).unwrap_or_default()
}

fn assert_invalid_grant(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_grant")), "{}", answer.json());
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
}
