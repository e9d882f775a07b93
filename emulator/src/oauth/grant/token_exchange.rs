//! Salesforce Help, "OAuth 2.0 Token Exchange Flow". A handler in Apex decides about the token that is presented; this
//! org has none, so that every exchange ends in a refusal.

use super::Request;
use crate::oauth::OAuthError;

const TOKEN_TYPES: [&str; 5] = ["access_token", "refresh_token", "id_token", "saml2", "jwt"];

/// Why a token cannot be exchanged. The texts are not documented.
pub(in crate::oauth) fn refuse_exchange(request: &Request<'_>) -> OAuthError {
    let Request { app, parameters, .. } = *request;
    if !app.token_exchange_flow {
        return OAuthError::invalid_grant("token exchange flow not enabled");
    }
    if parameters.get("subject_token").is_none() {
        return OAuthError::new("invalid_request", "missing subject_token");
    }
    let token_type = parameters.get("subject_token_type").unwrap_or_default();
    let name = token_type.strip_prefix("urn:ietf:params:oauth:token-type:");
    match name {
        Some(name) if TOKEN_TYPES.contains(&name) => {
            OAuthError::new("invalid_request", "no token exchange handler found for the subject token type")
        }
        _ => OAuthError::new("invalid_request", "unsupported subject_token_type"),
    }
}
