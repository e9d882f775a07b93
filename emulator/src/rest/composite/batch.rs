//! `POST /composite/batch`: requests that know nothing of each other.
//!
//! Source: REST API guide v66, "Batch". That the batch itself does not count besides its subrequests is inferred.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::check_number;
use super::subrequest::{Subrequest, raw};
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::org::Org;
use crate::rest::allow;
use crate::rest::body::{or_default, typed_body};
use crate::rest::caller::Caller;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    #[serde(default, deserialize_with = "or_default")]
    halt_on_error: bool,
    batch_requests: Vec<BatchRequest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchRequest {
    method: String,
    url: String,
    #[serde(default)]
    rich_input: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchResults {
    has_errors: bool,
    results: Vec<BatchResult>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchResult {
    status_code: u16,
    result: Box<RawValue>,
}

impl Org {
    pub(super) async fn batch(self: &Arc<Self>, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        allow(call, &[Method::POST])?;
        let batch: Batch = typed_body(call)?;
        check_number(batch.batch_requests.len())?;
        let mut results: Vec<BatchResult> = Vec::with_capacity(batch.batch_requests.len());
        let mut has_errors = false;
        for (index, request) in batch.batch_requests.into_iter().enumerate() {
            let answer = match batch.halt_on_error && has_errors {
                true => halted(),
                // The first one was counted as the batch came in.
                false if index > 0 => match self.count_request_of(caller) {
                    Ok(()) => self.batch_request(call, caller, request).await,
                    Err(refusal) => refusal.into(),
                },
                false => self.batch_request(call, caller, request).await,
            };
            has_errors |= answer.status.is_client_error() || answer.status.is_server_error();
            results.push(BatchResult { status_code: answer.status.as_u16(), result: raw(answer.body.in_memory()) });
        }
        Ok(Answer::ok(&BatchResults { has_errors, results }))
    }

    async fn batch_request(self: &Arc<Self>, call: &Call, caller: &Caller, request: BatchRequest) -> Answer {
        let BatchRequest { method, url, rich_input } = request;
        let reference_id = String::new();
        // They have no headers of their own.
        let headers = call.headers.iter().filter(|(name, _)| name.as_str().starts_with("sforce-"));
        let text =
            |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
        let http_headers = headers.filter_map(text).collect();
        let subrequest = Subrequest { method, url, reference_id, body: rich_input, http_headers };
        self.perform(call, caller, subrequest).await
    }
}

fn halted() -> Answer {
    let message = "Batch processing halted per request";
    ApiError::new(StatusCode::PRECONDITION_FAILED, "BATCH_PROCESSING_HALTED", message).into()
}
