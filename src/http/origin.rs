//! Where this Worker is, as others name it.
//!
//! Must stay true: what tokens rest on (issuer, resource) comes from `PUBLIC_URL`, never from a header a stranger sets; without
//! the setting it exists on this machine only. A link in a document that is answered to the same stranger may follow the
//! request.

use axum::http::{HeaderMap, Uri, header};

use super::auth::is_loopback;
use crate::app::App;

/// The origin the request was made to: `PUBLIC_URL`, else what the request says.
pub fn of_request(app: &App, headers: &HeaderMap, uri: &Uri) -> String {
    app.config.public_url.clone().unwrap_or_else(|| spoken_to(headers, uri))
}

/// The origin that tokens are issued under, if this request was made to it. A second host name of the same Worker has none:
/// clients that prefer OAuth wherever they find it can use a fixed token there.
pub fn of_issuer(app: &App, headers: &HeaderMap, uri: &Uri) -> Option<String> {
    match &app.config.public_url {
        Some(origin) => {
            let host = origin.split_once("://").map_or("", |(_, host)| host);
            hosts(headers, uri).all(|asked| asked.eq_ignore_ascii_case(host)).then(|| origin.clone())
        }
        None => is_loopback(headers, uri).then(|| spoken_to(headers, uri)),
    }
}

fn hosts<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> impl Iterator<Item = &'a str> {
    let from_header = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    [uri.authority().map(axum::http::uri::Authority::as_str), from_header].into_iter().flatten()
}

fn spoken_to(headers: &HeaderMap, uri: &Uri) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    let host = hosts(headers, uri).next().filter(|host| host.bytes().all(is_plain)).unwrap_or("localhost");
    let scheme = uri.scheme_str().unwrap_or("https");
    format!("{scheme}://{}", host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestApp;

    fn issuer(public_url: &str, url: &str, host: Option<&str>) -> Option<String> {
        let app = TestApp::with_vars(&[("PUBLIC_URL", public_url)]);
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(header::HOST, host.parse().unwrap());
        }
        of_issuer(&app.app, &headers, &url.parse().unwrap())
    }

    #[test]
    fn tokens_are_issued_under_the_set_origin_and_under_no_other_host() {
        let set = "https://listenlog.example";
        assert_eq!(issuer(set, "https://listenlog.example/authorize", None).as_deref(), Some(set));
        assert_eq!(issuer(set, "https://other.example/authorize", None), None);
        assert_eq!(issuer(set, "https://listenlog.example/authorize", Some("evil.example")), None);
        assert_eq!(issuer("", "https://listenlog.example/authorize", None), None);
        assert_eq!(issuer("", "http://127.0.0.1:8787/authorize", Some("evil.example")), None);
        assert_eq!(issuer("", "http://127.0.0.1:8787/x", None).as_deref(), Some("http://127.0.0.1:8787"));
    }

    #[test]
    fn a_host_that_is_no_host_reaches_no_document() {
        let app = TestApp::new();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "a\"b<c>".parse().unwrap());
        assert_eq!(of_request(&app.app, &headers, &Uri::from_static("/openapi.json")), "https://localhost");
    }
}
