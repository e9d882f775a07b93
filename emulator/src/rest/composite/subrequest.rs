//! One request among several: its URL, its references to earlier answers, and its answer.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::org::Org;
use crate::rest::body::or_default;
use crate::rest::caller::Caller;
use crate::rest::options::RequestOptions;
use crate::route::{CompositeRoute, DataRoute, Route, Version};

const ROOT: &str = "/services/data/";
/// Headers of an answer that its subresponse repeats. Source: samples of the REST API guide, "Composite".
const REPEATED_HEADERS: [(HeaderName, &str); 3] =
    [(header::ETAG, "ETag"), (header::LAST_MODIFIED, "Last-Modified"), (header::LOCATION, "Location")];

/// A subrequest of a composite, or a node of a graph.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subrequest {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) reference_id: String,
    #[serde(default)]
    pub(super) body: Option<Value>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) http_headers: HashMap<String, String>,
}

/// Its answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Subresponse {
    pub(super) body: Box<RawValue>,
    pub(super) http_headers: BTreeMap<String, String>,
    pub(super) http_status_code: u16,
    pub(super) reference_id: String,
}

impl Subrequest {
    /// Whether it is a collection that stands or falls as a whole.
    pub(super) fn expects_all(&self) -> bool {
        let in_body = self.body.as_ref().is_some_and(|body| body["allOrNone"] == Value::Bool(true));
        in_body || self.url.contains("allOrNone=true")
    }

    /// The ids of the subrequests whose answers it names.
    pub(super) fn references(&self) -> Vec<String> {
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        let named = |text: &str| -> Vec<String> {
            let rest = text.split("@{").skip(1).filter_map(|rest| rest.split('}').next());
            rest.map(|reference| split(reference).0.to_owned()).collect()
        };
        named(&self.url).into_iter().chain(named(&body)).collect()
    }
}

impl Org {
    pub(super) async fn subrequest(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        subrequest: Subrequest,
        results: &HashMap<String, Value>,
    ) -> Subresponse {
        let reference_id = subrequest.reference_id.clone();
        let answer = match resolved(subrequest, results) {
            Ok(subrequest) => self.perform(call, caller, subrequest).await,
            Err(refusal) => refusal.into(),
        };
        let repeated = REPEATED_HEADERS.iter().filter_map(|(header, name)| {
            let value = answer.headers.get(header)?.to_str().ok()?;
            Some(((*name).to_owned(), value.to_owned()))
        });
        let http_headers = repeated.collect();
        let body = raw(answer.body.in_memory());
        Subresponse { http_headers, http_status_code: answer.status.as_u16(), body, reference_id }
    }

    /// Answers a request within a request as one by itself, on the same host.
    pub(super) async fn perform(self: &Arc<Self>, call: &Call, caller: &Caller, subrequest: Subrequest) -> Answer {
        let (inner, caller, route) = match sub_call(call, caller, subrequest) {
            Ok(understood) => understood,
            Err(refusal) => return refusal.into(),
        };
        Box::pin(self.resource(&inner, &caller, route, None)).await.unwrap_or_else(Answer::from)
    }
}

/// What the others are told when one of them failed: those before it, which ended with it, and those that it kept from
/// running. It keeps its own error.
///
/// Source: REST API guide, "Composite". That those after it are answered at all is inferred.
pub(super) fn halted(mut responses: Vec<Subresponse>, rest: impl Iterator<Item = Subrequest>) -> Vec<Subresponse> {
    let message = "The transaction was rolled back since another operation in the same transaction failed.";
    let error = ApiError::bad_request("PROCESSING_HALTED", message).body().to_string();
    let body = RawValue::from_string(error).expect("an error's body is JSON");
    let halted = |reference_id: String| Subresponse {
        body: body.clone(),
        http_headers: BTreeMap::new(),
        http_status_code: 400,
        reference_id,
    };
    let others = responses.len().saturating_sub(1);
    for response in responses.iter_mut().take(others) {
        *response = halted(std::mem::take(&mut response.reference_id));
    }
    responses.extend(rest.map(|subrequest| halted(subrequest.reference_id)));
    responses
}

/// An answer's JSON as it is; a body that is none, such as the bytes of a file, is null.
pub(super) fn raw(body: Option<&Bytes>) -> Box<RawValue> {
    let json = body.and_then(|body| serde_json::from_slice(body).ok());
    json.unwrap_or_else(|| RawValue::from_string("null".to_owned()).expect("null is JSON"))
}

/// The path of a subrequest's URL; that of a batch begins with the version.
pub(super) fn path_of(url: &str) -> String {
    let path = url.split('?').next().unwrap_or_default();
    let relative = path.trim_start_matches('/');
    let is_versioned = relative.starts_with('v') && relative.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    if is_versioned { format!("{ROOT}{relative}") } else { path.to_owned() }
}

/// A subrequest as a call of its own, with the version that its URL names and the headers that it has itself.
///
/// Source: REST API guide, "Composite Subrequest".
fn sub_call(call: &Call, caller: &Caller, subrequest: Subrequest) -> Result<(Call, Caller, DataRoute), ApiError> {
    let method = Method::from_bytes(subrequest.method.to_ascii_uppercase().as_bytes())
        .map_err(|_| ApiError::method_not_allowed(&subrequest.method, "GET, POST, PATCH, DELETE"))?;
    let path = path_of(&subrequest.url);
    let (version, route) = match Route::parse(&path) {
        Route::Data(Version::Supported(version), route) if !holds_requests(&route) => (version, route),
        _ => return Err(ApiError::not_found()),
    };
    let mut headers = HeaderMap::new();
    for (name, value) in subrequest.http_headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let query = subrequest.url.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
    let body = subrequest.body.map(|body| body.to_string()).unwrap_or_default();
    let inner = Call { method, path, query, headers, body: body.into(), ..call.clone() };
    let options = RequestOptions { ledger: caller.options.ledger.clone(), ..RequestOptions::of(&inner) };
    Ok((inner, Caller { version, options, ..caller.clone() }, route))
}

/// From this version on the names of subrequests have a form. Source: guardian/support-service-lambdas pull request 1512.
const NAMED_FROM: u16 = 54;

/// Refuses a name that references could not spell. The code is inferred.
pub(super) fn check_names<'a>(
    caller: &Caller,
    subrequests: impl Iterator<Item = &'a Subrequest>,
) -> Result<(), ApiError> {
    let fits = |id: &str| {
        id.starts_with(|c: char| c.is_ascii_alphanumeric()) && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let mut names = subrequests.map(|subrequest| &subrequest.reference_id);
    match names.find(|id| caller.version >= NAMED_FROM && !fits(id)) {
        None => Ok(()),
        Some(id) => {
            let message = format!(
                "Provided referenceId ('{id}') must start with a letter or a number, and it can contain only letters, \
                 numbers and underscores ('_')."
            );
            Err(ApiError::bad_request("INVALID_INPUT", message))
        }
    }
}

/// Requests that hold requests are not held by others.
fn holds_requests(route: &DataRoute) -> bool {
    use CompositeRoute::{Batch, Composite, Graph};
    matches!(route, DataRoute::Composite(Composite | Batch | Graph))
}

fn resolved(subrequest: Subrequest, results: &HashMap<String, Value>) -> Result<Subrequest, ApiError> {
    let url = resolve(&subrequest.url, results)?;
    let body = subrequest.body.map(|body| resolve_value(body, results)).transpose()?;
    Ok(Subrequest { url, body, ..subrequest })
}

fn resolve_value(value: Value, results: &HashMap<String, Value>) -> Result<Value, ApiError> {
    Ok(match value {
        Value::String(text) => Value::String(resolve(&text, results)?),
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| resolve_value(item, results)).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => {
            let member = |(key, value)| Ok((key, resolve_value(value, results)?));
            Value::Object(members.into_iter().map(member).collect::<Result<_, ApiError>>()?)
        }
        plain => plain,
    })
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

/// The id of a subrequest and the path into its answer: `account.id`, `contacts[0].id`.
fn split(reference: &str) -> (&str, &str) {
    let end = reference.find(['.', '[']).unwrap_or(reference.len());
    reference.split_at(end)
}

fn look_up(reference: &str, results: &HashMap<String, Value>) -> Result<String, ApiError> {
    let invalid = || {
        let message = format!("Invalid reference specified. No value for {reference} found");
        ApiError::new(StatusCode::BAD_REQUEST, "PROCESSING_HALTED", message)
    };
    let (id, path) = split(reference);
    let pointer = format!("/{}", path.trim_start_matches('.').replace(['.', '['], "/").replace(']', ""));
    let pointer = pointer.replace("//", "/");
    let value = results.get(id).and_then(|result| result.pointer(&pointer)).ok_or_else(invalid)?;
    Ok(match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_reach_into_objects_and_arrays() {
        let results = HashMap::from([
            ("a".to_owned(), json!({"id": "001", "n": 7})),
            ("many".to_owned(), json!([{"id": "003"}, {"id": "004"}])),
            ("query".to_owned(), json!({"records": [{"Id": "005"}]})),
        ]);
        assert_eq!(resolve("/x/@{a.id}/@{many[1].id}", &results).unwrap(), "/x/001/004");
        assert_eq!(resolve("@{query.records[0].Id} @{a.n}", &results).unwrap(), "005 7");
        assert_eq!(resolve("@{a.nothing}", &results).unwrap_err().code, "PROCESSING_HALTED");
        assert_eq!(resolve("@{open", &results).unwrap(), "@{open");
    }

    #[test]
    fn urls_may_begin_with_the_version() {
        for url in ["v60.0/limits", "/v60.0/limits?a=b", "/services/data/v60.0/limits"] {
            assert_eq!(path_of(url), "/services/data/v60.0/limits", "{url}");
        }
    }
}
