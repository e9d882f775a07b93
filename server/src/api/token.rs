//! `POST /api/v1/connections/{name}/token`

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, header};
use serde_json::json;

use super::{Problem, caller};
use crate::app::App;

/// Hands out an access token of the connection.
pub(super) async fn issue(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = caller(&app, &headers).await?;
    let issued = app.token_for(&key, &name).await?;
    let document = json!({
        "access_token": issued.access_token.expose(),
        "token_type": "Bearer",
        "instance_url": issued.instance_url,
        "api_version": issued.api_version.to_string(),
    });
    let mut answer = document.to_string().into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}
