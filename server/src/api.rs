//! The API for programs, below `/api/v1`. Handlers parse, call one method of [`App`], and render.
//!
//! A program proves itself by an API key (`Authorization: Bearer orgtide_…`), which belongs to one connection. Errors are
//! problem documents (RFC 9457).

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{any, post},
};
use http::{HeaderMap, header};
use secrecy::SecretString;

use crate::{
    app::{App, access::AccessError},
    store::api_keys::ApiKey,
};

mod problem;
mod proxy;
mod token;

pub use problem::Problem;

/// No request of a program is larger.
const LONGEST_REQUEST_BYTES: usize = 8 << 20;

/// All routes of the API, for a listener that knows which hosts are ours.
pub fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/api/v1/connections/{name}/token", post(token::issue))
        .route("/api/v1/connections/{name}/proxy/{*path}", any(proxy::pass))
        .layer(DefaultBodyLimit::max(LONGEST_REQUEST_BYTES))
        .with_state(app)
}

/// Whose request it is.
async fn caller(app: &App, headers: &HeaderMap) -> Result<ApiKey, Problem> {
    let presented = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = presented.and_then(|value| value.strip_prefix("Bearer ")).ok_or(AccessError::Key)?;
    Ok(app.who(&SecretString::from(key.trim())).await?)
}
