//! What a person sees at `/authorize`.
//!
//! Must stay true: everything that came from outside is escaped; no page has a script, can be framed or is kept by a cache; a form
//! that carries a password can be sent to this Worker only.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use super::{client::Client, redirect::RedirectUri};
use crate::{
    config::AdminAccess,
    domain::{
        credential::{Scope, Scopes},
        grant_secret::GrantId,
    },
    http::html::escaped,
    store::users::User,
};

fn page(status: StatusCode, form_targets: &str, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title} · Listenlog</title>\
         <style>{}</style><h1>{title}</h1>{body}</html>",
        include_str!("pages.css")
    );
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action {form_targets}; frame-ancestors 'none'"
    );
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A page that ends here: there is nobody to send the answer to.
pub fn refused(status: StatusCode, sentence: &str) -> Response {
    page(status, "'none'", "That did not work", &format!("<p>{}</p>", escaped(sentence)))
}

/// Asks for the admin's credential. The form goes to the address it came from, with the client's request in the query.
pub fn sign_in(access: &AdminAccess, query: &str, receiver: &RedirectUri, complaint: Option<&str>) -> Response {
    let fields = match access {
        AdminAccess::Token { .. } => {
            "<label>Admin token <input type=\"password\" name=\"secret\" autocomplete=\"current-password\" required></label>"
        }
        AdminAccess::Basic { .. } => {
            "<label>Name <input name=\"name\" autocomplete=\"username\" required></label>\
             <label>Password <input type=\"password\" name=\"secret\" autocomplete=\"current-password\" required></label>"
        }
        AdminAccess::Disabled => {
            "<p>This Worker runs on the local machine with its door open: no credential is needed.</p>"
        }
    };
    let complaint = complaint.map(|text| format!("<p class=\"wrong\">{}</p>", escaped(text))).unwrap_or_default();
    let status = if complaint.is_empty() { StatusCode::OK } else { StatusCode::FORBIDDEN };
    let body = format!(
        "<p>An app wants to ask about a listening history. Its answer would go to <strong>{}</strong>. Sign in to see what it \
         asks for; nothing is given before you say so.</p>{complaint}\
         <form method=\"post\" action=\"/authorize?{}\">{fields}<p><button>Sign in</button></p></form>",
        escaped(&receiver.receiver()),
        escaped(query),
    );
    page(status, "'self'", "Sign in", &body)
}

/// What the question is about.
pub struct Question<'a> {
    pub grant: GrantId,
    pub page_secret: &'a str,
    pub client: &'a Client,
    pub receiver: &'a RedirectUri,
    pub scopes: Scopes,
    pub users: &'a [User],
}

const fn meaning(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "ask about the listening history",
        Scope::Ops => "ask how collecting and importing go",
    }
}

/// The question itself.
pub fn consent(question: &Question<'_>) -> Response {
    let client = question.client;
    let calls_itself = client.name.as_deref().unwrap_or("nothing");
    let who = client.vouched_by.as_deref().map_or_else(
        || "It registered itself here. Nobody has checked who it is.".to_owned(),
        |host| format!("<strong>{}</strong> vouches for it.", escaped(host)),
    );
    let body = format!(
        "<p>An app that calls itself <strong>“{}”</strong> asks for access. {who}</p>\
         <p>The answer goes to <strong>{}</strong>. If you did not just connect an assistant there, deny it.</p>\
         <form method=\"post\" action=\"/authorize\">\
         <input type=\"hidden\" name=\"grant\" value=\"{}\"><input type=\"hidden\" name=\"page_secret\" value=\"{}\">\
         <fieldset><legend>Whose history</legend>{}</fieldset><fieldset><legend>It may</legend>{}</fieldset>\
         <p><button name=\"decision\" value=\"allow\">Allow</button> \
         <button name=\"decision\" value=\"deny\" class=\"other\" formnovalidate>Deny</button></p></form>\
         <p>It never sees your password, and nobody else's history. Take it back at any time with \
         <code>DELETE /admin/grants/{}</code>.</p>",
        escaped(calls_itself),
        escaped(&question.receiver.receiver()),
        question.grant.0,
        escaped(question.page_secret),
        users(question.users),
        scopes(question.scopes),
        question.grant.0,
    );
    page(StatusCode::OK, &format!("'self' {}", question.receiver.form_target()), "Allow this app?", &body)
}

/// With one user there is nothing to choose; with several nothing is chosen before the admin does.
fn users(users: &[User]) -> String {
    let chosen = if users.len() == 1 { " checked" } else { "" };
    let choice = |user: &User| {
        format!(
            "<label><input type=\"radio\" name=\"user_id\" value=\"{}\" required{chosen}> {} (user {})</label>",
            user.id,
            escaped(&user.display_name),
            user.id
        )
    };
    users.iter().map(choice).collect()
}

fn scopes(scopes: Scopes) -> String {
    let choice = |scope: Scope| {
        let name = scope.name();
        let text = meaning(scope);
        format!("<label><input type=\"checkbox\" name=\"scope_{name}\" value=\"1\" checked> {text} ({name})</label>")
    };
    scopes.iter().map(choice).collect()
}
