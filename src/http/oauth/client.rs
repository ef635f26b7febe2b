//! Who asks for a grant: a client with a document about itself, or one that registered here.
//!
//! Must stay true: what a client calls itself is its own word and is shown as such; only the host of its document, and the host its
//! answers go to, say who it is.

use super::{Issuer, client_document, redirect::RedirectUri};
use crate::{app::App, error::AppError, store::oauth_clients};

#[derive(Clone, Debug)]
pub struct Client {
    pub id: String,
    /// Its own word.
    pub name: Option<String>,
    /// The host that serves its document; `None`: it registered itself.
    pub vouched_by: Option<String>,
    pub redirect_uris: Vec<RedirectUri>,
}

/// The client of this id; the inner error is a sentence for the person who was sent here.
pub async fn find(app: &App, issuer: &Issuer, client_id: &str) -> Result<Result<Client, &'static str>, AppError> {
    if client_document::is_document_id(client_id) {
        return Ok(client_document::fetch(app, issuer, client_id).await);
    }
    let Some(registered) = oauth_clients::find(&*app.db, client_id).await? else {
        return Ok(Err(
            "The client is not known here, or its registration has expired. Remove the connector and add it again.",
        ));
    };
    let texts: Vec<String> = serde_json::from_str(&registered.redirect_uris).unwrap_or_default();
    let redirect_uris = texts.iter().filter_map(|text| RedirectUri::parse(text)).collect();
    Ok(Ok(Client { id: registered.id, name: registered.name, vouched_by: None, redirect_uris }))
}

const MAX_NAME_CHARS: usize = 80;

/// A name that can be shown: on one line, and with nothing in it that turns or hides letters.
pub fn shown_name(name: &str) -> Option<String> {
    let is_hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    let visible: String = name.chars().map(|letter| if letter.is_whitespace() { ' ' } else { letter }).collect();
    let visible: String = visible.chars().filter(|letter| !is_hidden(*letter)).collect();
    let words: Vec<&str> = visible.split(' ').filter(|word| !word.is_empty()).collect();
    let shown: String = words.join(" ").chars().take(MAX_NAME_CHARS).collect();
    (!shown.is_empty()).then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_and_hides_nothing() {
        assert_eq!(shown_name("  My\n\tApp  ").as_deref(), Some("My App"));
        assert_eq!(shown_name("evil\u{202e}eduaLC\u{200b}\u{0}").as_deref(), Some("evileduaLC"));
        assert_eq!(shown_name("\u{200b} \n").as_deref(), None);
        assert_eq!(shown_name(&"x".repeat(500)).unwrap().len(), MAX_NAME_CHARS);
    }
}
