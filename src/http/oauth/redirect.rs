//! Where a browser may be sent with a code.
//!
//! Must stay true: an address is one that only its owner can receive on: https, this computer, or an app's own scheme; two
//! addresses are the same letter by letter, but for the port on this computer, which an app gets anew each time (RFC 8252, 7.3).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::config::is_loopback_host;

/// A redirect URI that is allowed at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// The host, with its port if it has one.
    Https {
        authority: String,
    },
    /// The host without port, and what follows the port.
    Loopback {
        host: String,
        authority: String,
        rest: String,
    },
    App {
        scheme: String,
    },
}

const MAX_CHARS: usize = 2_000;
/// Schemes of apps from before the rule that such a scheme is a domain backwards, with a dot.
const APP_SCHEMES: [&str; 7] = ["claude", "cursor", "goose", "vscode", "vscode-insiders", "windsurf", "zed"];

/// What may stand in a query value unescaped.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl RedirectUri {
    /// What is allowed, as the end of a sentence.
    pub const RULE: &str = "must be an https address, http on 127.0.0.1, [::1] or localhost, or an app's own scheme such as \
                            com.example.app:/callback; without a fragment or a user name";

    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\^`{|}#".contains(&byte);
        if text.is_empty() || text.len() > MAX_CHARS || !text.bytes().all(is_plain) {
            return None;
        }
        let (scheme, rest) = text.split_once(':')?;
        let kind = match scheme {
            "https" => {
                let (authority, _) = authority(rest)?;
                Kind::Https { authority: authority.to_owned() }
            }
            "http" => {
                let (authority, rest) = authority(rest).filter(|(authority, _)| is_loopback_host(authority))?;
                let host = if authority.starts_with('[') {
                    authority.split_inclusive(']').next()
                } else {
                    authority.split(':').next()
                };
                Kind::Loopback { host: host?.to_owned(), authority: authority.to_owned(), rest: rest.to_owned() }
            }
            _ if is_app_scheme(scheme) && rest.starts_with('/') => Kind::App { scheme: scheme.to_owned() },
            _ => return None,
        };
        Some(Self { text: text.to_owned(), kind })
    }

    /// Whether a client that registered `registered` may ask to be answered here.
    pub fn is_allowed_by(&self, registered: &Self) -> bool {
        match (&self.kind, &registered.kind) {
            (Kind::Loopback { host, rest, .. }, Kind::Loopback { host: own_host, rest: own_rest, .. }) => {
                host == own_host && rest == own_rest
            }
            _ => self.text == registered.text,
        }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Who gets the answer, for a person.
    pub fn receiver(&self) -> String {
        match &self.kind {
            Kind::Https { authority } => authority.clone(),
            Kind::Loopback { authority, .. } => format!("an app on this computer ({authority})"),
            Kind::App { scheme } => format!("an app on this device ({scheme}:)"),
        }
    }

    /// What a page's `form-action` must name, since browsers hold it against the redirect that answers a form. An https receiver may
    /// redirect further within its own sites.
    pub fn form_target(&self) -> String {
        match &self.kind {
            Kind::Https { .. } => "https:".to_owned(),
            Kind::Loopback { authority, .. } if !authority.starts_with('[') => format!("http://{authority}"),
            // A source in a policy cannot name an IPv6 address.
            Kind::Loopback { .. } => "http:".to_owned(),
            Kind::App { scheme } => format!("{scheme}:"),
        }
    }

    /// The address with more query parameters.
    pub fn with(&self, parameters: &[(&str, &str)]) -> String {
        let mut text = self.text.clone();
        for (name, value) in parameters {
            let separator = match (text.contains('?'), text.ends_with(['?', '&'])) {
                (false, _) => "?",
                (true, true) => "",
                (true, false) => "&",
            };
            text.extend([separator, name, "="]);
            text.extend(utf8_percent_encode(value, VALUE));
        }
        text
    }
}

/// Host and port, and what follows: `//host:port/path`. A host is a name or an address, in lower case, with no user before it.
fn authority(rest: &str) -> Option<(&str, &str)> {
    let rest = rest.strip_prefix("//")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end)?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(_) => authority.split_at_checked(authority.find(']')? + 1)?,
        None => authority.split_at_checked(authority.find(':').unwrap_or(authority.len()))?,
    };
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(is_name) && !host.starts_with('.'),
    };
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    (is_host && is_port).then_some((authority, rest))
}

fn is_app_scheme(scheme: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+');
    let is_domain = scheme.contains('.') && scheme.starts_with(|first: char| first.is_ascii_lowercase());
    APP_SCHEMES.contains(&scheme) || (is_domain && scheme.bytes().all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> RedirectUri {
        RedirectUri::parse(text).unwrap()
    }

    #[test]
    fn what_a_stranger_could_receive_is_no_address() {
        for text in [
            "",
            "https://",
            "https:///callback",
            "https:callback",
            "//evil.example/callback",
            "/callback",
            "http://claude.ai/callback",
            "http://127.0.0.1.evil.example/callback",
            "http://localhost@evil.example/callback",
            "https://claude.ai@evil.example/callback",
            "https://claude.ai\\@evil.example/",
            "https://claude.ai/callback#fragment",
            "https://claude.ai/call back",
            "https://claude.ai/\r\nSet-Cookie:a=b",
            "https://claude.ai/<script>",
            "https://CLAUDE.ai/callback",
            "https://claude.ai:99999/callback",
            "https://claude.ai:80:80/callback",
            "https://xn--claude .ai/",
            "https://cläude.ai/",
            "http://[::2]/callback",
            "javascript:alert(1)",
            "javascript://claude.ai/%0aalert(1)",
            "data:text/html,hello",
            "file:///etc/passwd",
            "blob:https://claude.ai/x",
            "about:blank",
            "view-source:https://claude.ai",
            "intent://x",
            "myapp://callback",
            "com.example.app:callback",
            "HTTPS://claude.ai/callback",
        ] {
            assert!(RedirectUri::parse(text).is_none(), "{text}");
        }
        assert!(RedirectUri::parse(&format!("https://claude.ai/{}", "a".repeat(MAX_CHARS))).is_none());
    }

    #[test]
    fn addresses_of_hosts_and_apps_are_taken_and_told_to_the_person() {
        for (text, receiver) in [
            ("https://claude.ai/api/mcp/auth_callback", "claude.ai"),
            ("https://chatgpt.com/connector/oauth/x?y=z", "chatgpt.com"),
            ("http://127.0.0.1:33418/", "an app on this computer (127.0.0.1:33418)"),
            ("http://localhost/callback", "an app on this computer (localhost)"),
            ("http://[::1]:9/callback", "an app on this computer ([::1]:9)"),
            ("cursor://anysphere.cursor-mcp/oauth/callback", "an app on this device (cursor:)"),
            ("com.example.app:/callback", "an app on this device (com.example.app:)"),
        ] {
            assert_eq!(uri(text).receiver(), receiver);
        }
    }

    #[test]
    fn an_address_is_allowed_letter_by_letter_and_on_this_computer_with_any_port() {
        let allowed = |asked: &str, registered: &str| uri(asked).is_allowed_by(&uri(registered));
        assert!(allowed("https://a.example/cb", "https://a.example/cb"));
        for asked in
            ["https://a.example/cb/", "https://a.example/cb?x=1", "https://a.example:443/cb", "https://a.example/CB"]
        {
            assert!(!allowed(asked, "https://a.example/cb"), "{asked}");
        }
        assert!(allowed("http://127.0.0.1:5/cb", "http://127.0.0.1/cb"));
        assert!(allowed("http://127.0.0.1:5/cb", "http://127.0.0.1:6/cb"));
        assert!(allowed("http://[::1]:5/cb", "http://[::1]/cb"));
        assert!(!allowed("http://127.0.0.1:5/other", "http://127.0.0.1/cb"));
        assert!(!allowed("http://localhost:5/cb", "http://127.0.0.1/cb"));
        assert!(!allowed("http://127.0.0.1/cb", "https://127.0.0.1/cb"));
    }

    #[test]
    fn parameters_are_added_without_breaking_what_is_there() {
        let parameters = [("code", "a b"), ("state", "&x=1#\r\nSet-Cookie: é")];
        let added = "code=a%20b&state=%26x%3D1%23%0D%0ASet-Cookie%3A%20%C3%A9";
        assert_eq!(uri("https://a.example/cb").with(&parameters), format!("https://a.example/cb?{added}"));
        assert_eq!(uri("https://a.example/cb?k=v").with(&parameters), format!("https://a.example/cb?k=v&{added}"));
        assert_eq!(uri("https://a.example/cb?").with(&parameters), format!("https://a.example/cb?{added}"));
    }
}
