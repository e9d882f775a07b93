//! Conditional requests for rows.
//!
//! Source: REST API guide v66, "Conditional Request Headers". Entity tags are for Account alone; the order in which headers
//! are looked at is that of RFC 9110.

use std::time::SystemTime;

use base64::Engine as _;
use chrono::{DateTime, Utc};
use http::{HeaderName, Method, StatusCode, header};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::schema::Object;
use crate::table::Row;
use crate::value::{Timestamp, Value};

/// The state of a row as HTTP speaks of it.
pub(super) struct Validators {
    /// Without the suffix that stands for compression.
    etag: Option<String>,
    modified: SystemTime,
}

/// What a failed condition is answered with.
pub(super) enum Verdict {
    Go,
    Instead(StatusCode),
}

impl Validators {
    pub(super) fn of(object: &Object, row: &Row<'_>) -> Self {
        let modified = object.audit().modified_date.map(|field| row.value(field));
        let modified = match modified {
            Some(Value::DateTime(at)) => at,
            _ => row.stamp().unwrap_or(Timestamp(0)),
        };
        let seconds = DateTime::<Utc>::from_timestamp(modified.0.div_euclid(1000), 0).unwrap_or_default();
        let content = || format!("{:?}", row.to_stored());
        let etag = (object.name == "Account").then(|| {
            let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, content().as_bytes());
            base64::engine::general_purpose::STANDARD.encode(hash)
        });
        Self { etag, modified: SystemTime::from(seconds) }
    }

    /// The headers that tell a client the state.
    pub(super) fn on(&self, answer: Answer) -> Answer {
        let answer = answer.with(header::LAST_MODIFIED, &httpdate::fmt_http_date(self.modified));
        match &self.etag {
            Some(etag) => answer.with(header::ETAG, &format!("\"{etag}\"")),
            None => answer,
        }
    }

    /// Whether the request goes on.
    ///
    /// # Errors
    /// 400 for a header that cannot be read, when the request writes.
    pub(super) fn judge(&self, call: &Call) -> Result<Verdict, ApiError> {
        let writes = matches!(call.method, Method::PATCH | Method::POST);
        if call.method == Method::DELETE {
            return Ok(Verdict::Go);
        }
        let matching = tags(call, header::IF_MATCH, writes)?;
        let unmodified = date(call, header::IF_UNMODIFIED_SINCE, writes)?;
        let unlike = tags(call, header::IF_NONE_MATCH, writes)?;
        let failed = Ok(Verdict::Instead(StatusCode::PRECONDITION_FAILED));
        if matching.is_some_and(|tags| !self.is_among(&tags)) || unmodified.is_some_and(|date| self.modified > date) {
            return failed;
        }
        let unchanged = Verdict::Instead(StatusCode::NOT_MODIFIED);
        match unlike.filter(|_| self.etag.is_some()) {
            Some(tags) if self.is_among(&tags) && writes => return failed,
            Some(tags) if self.is_among(&tags) => return Ok(unchanged),
            Some(_) => return Ok(Verdict::Go),
            None => {}
        }
        let since = if writes { None } else { date(call, header::IF_MODIFIED_SINCE, false)? };
        Ok(if since.is_some_and(|date| self.modified <= date) { unchanged } else { Verdict::Go })
    }

    /// A row without a tag is not asked for one.
    fn is_among(&self, tags: &[String]) -> bool {
        self.etag.as_ref().is_none_or(|own| tags.iter().any(|tag| tag == "*" || tag == own))
    }
}

/// Entity tags, without quotes and the suffix `-gzip`.
fn tags(call: &Call, name: HeaderName, strict: bool) -> Result<Option<Vec<String>>, ApiError> {
    let Some(value) = call.header(&name) else { return Ok(None) };
    let tag = |text: &str| {
        let text = text.trim();
        let inner = text.strip_prefix("W/").unwrap_or(text).strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let inner = inner.or((text == "*").then_some(text))?;
        Some(inner.strip_suffix("-gzip").unwrap_or(inner).to_owned())
    };
    match value.split(',').map(tag).collect::<Option<Vec<String>>>() {
        Some(tags) => Ok(Some(tags)),
        None if strict => Err(invalid(&name, value)),
        None => Ok(None),
    }
}

fn date(call: &Call, name: HeaderName, strict: bool) -> Result<Option<SystemTime>, ApiError> {
    let Some(value) = call.header(&name) else { return Ok(None) };
    match httpdate::parse_http_date(value) {
        Ok(date) => Ok(Some(date)),
        Err(_) if strict => Err(invalid(&name, value)),
        Err(_) => Ok(None),
    }
}

/// The status is the guide's; code and text are inferred.
fn invalid(name: &HeaderName, value: &str) -> ApiError {
    ApiError::bad_request("INVALID_HEADER", format!("The value of the header {name} is not valid: {value}"))
}
