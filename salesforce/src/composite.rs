//! Several reads in one request, which counts as one API call.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    client::Client,
    error::ApiError,
    http::{Answer, Request, judge},
    time::Timestamp,
};

/// As many parts as a composite may have (REST guide v66, "Composite": 25 subrequests).
pub(crate) const MOST_PARTS: usize = 25;

/// A GET inside a composite request.
pub(crate) struct Part {
    /// Encoded path and query; it may be longer than a URL may be.
    pub(crate) path: String,
    /// For messages: "describing Account".
    pub(crate) doing: String,
}

#[derive(Serialize)]
struct Composite<'a> {
    #[serde(rename = "compositeRequest")]
    requests: Vec<Subrequest<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subrequest<'a> {
    method: &'static str,
    url: &'a str,
    reference_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CompositeAnswer<'a> {
    #[serde(borrow)]
    composite_response: Vec<Subanswer<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subanswer<'a> {
    #[serde(borrow)]
    body: &'a RawValue,
    http_status_code: u16,
}

/// What came of each part, in their order. The bodies share the bytes of the one answer.
pub(crate) type Parts = Vec<Result<Bytes, ApiError>>;

impl Client {
    /// Sends `parts` (at most [`MOST_PARTS`]) in one request with these headers. A part that is refused leaves the others
    /// as they are.
    ///
    /// # Errors
    /// When the composite itself is refused or its answer is not one.
    pub(crate) async fn read_together(
        &self,
        parts: &[Part],
        headers: &[(HeaderName, &'static str)],
        doing: &str,
    ) -> Result<Parts, ApiError> {
        self.read_together_at(parts, headers, doing).await.map(|(parts, _)| parts)
    }

    /// The same; tells what time the answer is for, too.
    pub(crate) async fn read_together_at(
        &self,
        parts: &[Part],
        headers: &[(HeaderName, &'static str)],
        doing: &str,
    ) -> Result<(Parts, Timestamp), ApiError> {
        let requests = parts.iter().enumerate();
        let requests = requests.map(|(index, part)| Subrequest {
            method: "GET",
            url: &part.path,
            reference_id: format!("part{index}"),
        });
        let body = serde_json::to_vec(&Composite { requests: requests.collect() }).expect("strings serialise");
        let route = "/services/data/{version}/composite";
        let mut request = Request::new(http::Method::POST, route, self.data_path("composite"), doing);
        for (name, value) in headers {
            request = request.header(name.clone(), HeaderValue::from_static(value));
        }
        let (answer, org) = self.call_at::<Answer>(&request.json(body.into())).await?;
        let envelope: CompositeAnswer<'_> = answer.json()?;
        if envelope.composite_response.len() != parts.len() {
            return Err(answer.broken_protocol("a composite has another number of answers than it had requests"));
        }
        let read = |(sub, part): (&Subanswer<'_>, &Part)| match sub.http_status_code {
            200..=299 => Ok(answer.body.slice_ref(sub.body.get().as_bytes())),
            status => Err(judge(part.doing.clone(), org.host().to_owned(), status, None, sub.body.get().as_bytes())),
        };
        Ok((envelope.composite_response.iter().zip(parts).map(read).collect(), answer.dated()?))
    }
}
