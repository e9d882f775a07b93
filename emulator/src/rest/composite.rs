//! `POST /composite`: several requests in one, which also carries queries that are too long for a URL.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::allow;
use super::caller::Caller;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::ids::RecordId;
use crate::org::Org;
use crate::route::{DataRoute, Route};

const MAX_SUBREQUESTS: usize = 25;
/// REST API guide, "Composite": queries and collections among the subrequests.
const MAX_QUERIES: usize = 5;
/// Headers of an answer that its subresponse repeats. Source: samples of the REST API guide, "Composite".
const REPEATED_HEADERS: [(HeaderName, &str); 3] =
    [(header::ETAG, "ETag"), (header::LAST_MODIFIED, "Last-Modified"), (header::LOCATION, "Location")];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Composite {
    #[serde(default)]
    all_or_none: bool,
    composite_request: Vec<Subrequest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subrequest {
    method: String,
    url: String,
    reference_id: String,
    #[serde(default)]
    body: Option<Value>,
    #[serde(default)]
    http_headers: HashMap<String, String>,
}

impl Subrequest {
    fn is_query(&self) -> bool {
        let path = self.url.split('?').next().unwrap_or_default();
        let route = Route::parse(path);
        matches!(route, Route::Data(_, DataRoute::Query | DataRoute::QueryAll | DataRoute::QueryMore(_)))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Responses {
    composite_response: Vec<Subresponse>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subresponse {
    body: Box<RawValue>,
    http_headers: BTreeMap<String, String>,
    http_status_code: u16,
    reference_id: String,
}

impl Org {
    /// Runs the subrequests one after the other. With `allOrNone` the first failure undoes all of them.
    pub(super) async fn composite(self: &Arc<Self>, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        allow(call, &[Method::POST])?;
        let composite: Composite = serde_json::from_value(super::json_body(call)?)
            .map_err(|error| ApiError::bad_request("JSON_PARSER_ERROR", error.to_string()))?;
        let number = composite.composite_request.len();
        if number > MAX_SUBREQUESTS {
            let message = format!("Limit of {MAX_SUBREQUESTS} subrequests exceeded: {number}");
            return Err(ApiError::bad_request("LIMIT_EXCEEDED", message));
        }
        let queries = composite.composite_request.iter().filter(|subrequest| subrequest.is_query()).count();
        if queries > MAX_QUERIES {
            let message = format!("Limit of {MAX_QUERIES} query and collection subrequests exceeded: {queries}");
            return Err(ApiError::bad_request("LIMIT_EXCEEDED", message));
        }
        let before = self.snapshot();
        let mut responses = Vec::with_capacity(number);
        let mut results = HashMap::new();
        let mut written = Vec::new();
        for subrequest in composite.composite_request {
            let (response, touched) = self.subrequest(call, caller, subrequest, &results).await;
            if let Ok(value) = serde_json::from_str::<Value>(response.body.get()) {
                results.insert(response.reference_id.clone(), value);
            }
            written.extend(touched);
            let failed = response.http_status_code >= 400;
            responses.push(response);
            if failed && composite.all_or_none {
                self.write(|database, _| written.iter().rev().for_each(|id| database.revert(*id, &before)));
                responses = halted(responses);
                break;
            }
        }
        Ok(Answer::ok(&Responses { composite_response: responses }))
    }

    async fn subrequest(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        subrequest: Subrequest,
        results: &HashMap<String, Value>,
    ) -> (Subresponse, Option<RecordId>) {
        let reference_id = subrequest.reference_id.clone();
        let mut named = None;
        let answer = match sub_call(call, subrequest, results) {
            Ok((inner, route)) => {
                if let DataRoute::Record { id, .. } = &route {
                    named = RecordId::parse(id).ok().filter(|_| inner.method != Method::GET);
                }
                let answer = Box::pin(self.resource(&inner, caller, route, None)).await;
                answer.unwrap_or_else(Answer::from)
            }
            Err(refusal) => refusal.into(),
        };
        let repeated = REPEATED_HEADERS.iter().filter_map(|(header, name)| {
            let value = answer.headers.get(header)?.to_str().ok()?;
            Some(((*name).to_owned(), value.to_owned()))
        });
        let http_headers = repeated.collect();
        let body = raw(answer.body.in_memory());
        let touched = named.or_else(|| written_id(&body));
        let response = Subresponse { http_headers, http_status_code: answer.status.as_u16(), body, reference_id };
        (response, touched)
    }
}

/// The id in the answer to a write.
fn written_id(body: &RawValue) -> Option<RecordId> {
    #[derive(Deserialize)]
    struct Written {
        id: String,
        success: bool,
    }
    let written: Written = serde_json::from_str(body.get()).ok()?;
    written.success.then(|| RecordId::parse(&written.id).ok()).flatten()
}

/// What the others are told when one of them failed; that one keeps its own error, and it is the last.
fn halted(mut responses: Vec<Subresponse>) -> Vec<Subresponse> {
    let message = "The transaction was rolled back since another operation in the same transaction failed.";
    let error = ApiError::bad_request("PROCESSING_HALTED", message).body().to_string();
    let others = responses.len().saturating_sub(1);
    for response in &mut responses[..others] {
        response.http_status_code = StatusCode::BAD_REQUEST.as_u16();
        response.body = raw(Some(&Bytes::from(error.clone())));
    }
    responses
}

fn raw(body: Option<&Bytes>) -> Box<RawValue> {
    let text = body.and_then(|body| String::from_utf8(body.to_vec()).ok()).unwrap_or_default();
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::from_string("null".into()).expect("null is JSON"))
}

/// A subrequest as a call of its own, on the same host and version.
fn sub_call(
    call: &Call,
    subrequest: Subrequest,
    results: &HashMap<String, Value>,
) -> Result<(Call, DataRoute), ApiError> {
    let method = Method::from_bytes(subrequest.method.to_ascii_uppercase().as_bytes())
        .map_err(|_| ApiError::method_not_allowed("GET, POST, PATCH, DELETE"))?;
    let url = resolve(&subrequest.url, results)?;
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    let route = match Route::parse(path) {
        Route::Data(_, DataRoute::Composite) | Route::Unknown => return Err(ApiError::not_found()),
        Route::Data(_, route) => route,
        _ => return Err(ApiError::not_found()),
    };
    let body = subrequest.body.map(|body| resolve(&body.to_string(), results)).transpose()?;
    let mut headers = HeaderMap::new();
    for (name, value) in subrequest.http_headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let inner = Call {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: body.unwrap_or_default().into(),
        ..call.clone()
    };
    Ok((inner, route))
}

/// Replaces `@{reference.field}` by the value from an earlier subrequest's answer.
fn resolve(text: &str, results: &HashMap<String, Value>) -> Result<String, ApiError> {
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("@{") {
        let (before, reference) = (&rest[..start], &rest[start + 2..]);
        let Some(end) = reference.find('}') else { break };
        resolved.push_str(before);
        resolved.push_str(&look_up(&reference[..end], results)?);
        rest = &reference[end + 1..];
    }
    resolved.push_str(rest);
    Ok(resolved)
}

fn look_up(reference: &str, results: &HashMap<String, Value>) -> Result<String, ApiError> {
    let invalid = || {
        let message = format!("Invalid reference specified. No value for {reference} found");
        ApiError::new(StatusCode::BAD_REQUEST, "PROCESSING_HALTED", message)
    };
    let (id, path) = reference.split_once('.').ok_or_else(invalid)?;
    let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
    let value = results.get(id).and_then(|result| result.pointer(&pointer)).ok_or_else(invalid)?;
    Ok(match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}
