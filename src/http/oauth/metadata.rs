//! The documents by which a client finds its way: RFC 9728 and RFC 8414.
//!
//! Must stay true: they are there under the origin that tokens are issued under, and nowhere else; what they promise is what the
//! endpoints do. Any page may read them: they are the same for everyone.

use axum::{
    Json,
    http::{HeaderMap, HeaderName, Uri, header},
};
use serde_json::{Value, json};

use super::Issuer;
use crate::{app::App, domain::credential::Scope, error::AppError};

type Document = ([(HeaderName, &'static str); 2], Json<Value>);

fn open_to_all(document: Value) -> Document {
    ([(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (header::CACHE_CONTROL, "public, max-age=300")], Json(document))
}

/// GET /.well-known/oauth-protected-resource/mcp, and the same without `/mcp`.
pub async fn protected_resource(app: App, headers: HeaderMap, uri: Uri) -> Result<Document, AppError> {
    let issuer = Issuer::of(&app, &headers, &uri)?;
    Ok(open_to_all(json!({
        "resource": issuer.resource(),
        "resource_name": "Listenlog",
        "authorization_servers": [issuer.origin()],
        "scopes_supported": Scope::ALL.map(Scope::name),
        "bearer_methods_supported": ["header"],
    })))
}

/// GET /.well-known/oauth-authorization-server.
pub async fn authorization_server(app: App, headers: HeaderMap, uri: Uri) -> Result<Document, AppError> {
    let issuer = Issuer::of(&app, &headers, &uri)?;
    let origin = issuer.origin();
    let scopes: Vec<&str> = Scope::ALL.map(Scope::name).into_iter().chain(["offline_access"]).collect();
    Ok(open_to_all(json!({
        "issuer": origin,
        "authorization_endpoint": format!("{origin}/authorize"),
        "token_endpoint": format!("{origin}/token"),
        "registration_endpoint": format!("{origin}/register"),
        "revocation_endpoint": format!("{origin}/revoke"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "client_id_metadata_document_supported": true,
        "authorization_response_iss_parameter_supported": true,
    })))
}
