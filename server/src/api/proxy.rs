//! `/api/v1/connections/{name}/proxy/services/data/…`

use std::{io, sync::Arc};

use axum::{
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use salesforce::client::Passed;

use super::{Problem, caller};
use crate::app::{
    App,
    access::{PathRefused, ProxyRequest},
};

/// Of an answer no more is passed on. A larger one is for Bulk, and for streams.
const LONGEST_ANSWER_BYTES: usize = 64 << 20;

/// Passes a request on to the org, and its answer back.
pub(super) async fn pass(
    State(app): State<Arc<App>>,
    Path((name, _)): Path<(String, String)>,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let key = caller(&app, &headers).await?;
    // The path as it was sent: what the router has decoded must not decide where it leads.
    let path = target(uri.path()).ok_or(PathRefused { reason: "it has no target" })?;
    let request = ProxyRequest { method, path: path.to_owned(), query: uri.query().map(str::to_owned), headers, body };
    Ok(answer(app.proxy(&key, &name, request).await?))
}

/// What follows `/connections/<name>/proxy`; a name holds no slash.
fn target(path: &str) -> Option<&str> {
    let (_, rest) = path.split_once("/connections/")?;
    let (_, rest) = rest.split_once('/')?;
    rest.strip_prefix("proxy")
}

fn answer(passed: Passed) -> Response {
    let status = StatusCode::from_u16(passed.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = passed.headers.clone();
    let mut answer = (status, Body::from_stream(bounded(passed))).into_response();
    *answer.headers_mut() = headers;
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // What an org answers is never a page of ours.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    answer
}

/// The body piece by piece, as fast as the program takes it. One that is too long breaks off, and is not taken for whole.
fn bounded(passed: Passed) -> impl stream::Stream<Item = io::Result<Bytes>> {
    stream::unfold((Some(passed), 0), |(passed, before)| async move {
        let mut passed = passed?;
        match passed.chunk().await {
            Ok(None) => None,
            Ok(Some(piece)) if before + piece.len() > LONGEST_ANSWER_BYTES => {
                Some((Err(io::Error::other("the answer is longer than 64 MiB")), (None, before)))
            }
            Ok(Some(piece)) => {
                let so_far = before + piece.len();
                Some((Ok(piece), (Some(passed), so_far)))
            }
            Err(error) => Some((Err(io::Error::other(error)), (None, before))),
        }
    })
}
