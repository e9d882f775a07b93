//! Result pages: one after the other by locator, or several at a time by `resultPages`.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use http::{HeaderName, StatusCode};
use serde::Serialize;

use super::job::{Job, State};
use super::locator;
use crate::answer::{Answer, ApiError};
use crate::bulk::file::{csv_answer, lost_results};
use crate::bulk::spool::Spool;
use crate::call::Call;
use crate::faults::Effect;
use crate::org::Org;
use crate::rest::Caller;

/// Result URLs per call of `resultPages`.
const PAGES_PER_CALL: u64 = 5;
/// Rows in a page whose size the caller leaves to the service, unless its pages are smaller. Salesforce documents no number.
const UNASKED_ROWS: u64 = 50_000;
/// `resultPages` exists from this version on.
const RESULT_PAGES_FROM: u16 = 58;
const LOCATOR: &str = "sforce-locator";
const NUMBER_OF_RECORDS: &str = "sforce-numberofrecords";
/// What the locator of the last page reads.
const NO_MORE: &str = "null";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultPages {
    result_pages: Vec<ResultPage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_records_url: Option<String>,
    done: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultPage {
    result_url: String,
}

impl Org {
    /// `GET /jobs/query/{id}/results?maxRecords=…&locator=…`.
    pub(super) fn job_results(
        &self,
        call: &Call,
        caller: &Caller,
        job: &Job,
        effect: Option<&Effect>,
    ) -> Result<Answer, ApiError> {
        let spool = finished(caller, job)?;
        if effect == Some(&Effect::ExpiredLocator) && call.parameter("locator").is_some() {
            return Err(invalid_locator());
        }
        let first = first_row(call, job, &spool)?;
        let end = first.saturating_add(self.rows_per_page(call)?).min(spool.rows());
        let lacking = match effect {
            Some(Effect::ShortPage { rows }) => *rows,
            _ => 0,
        };
        let bytes = page_bytes(&spool, first..end.saturating_sub(lacking).max(first)).map_err(lost_results)?;
        let next = if end < spool.rows() { locator::encode(job.id, end) } else { NO_MORE.to_owned() };
        Ok(csv_answer(call, spool.header(), spool.file(), bytes)
            .with(HeaderName::from_static(LOCATOR), &next)
            .with(HeaderName::from_static(NUMBER_OF_RECORDS), &(end - first).to_string()))
    }

    /// `GET /jobs/query/{id}/resultPages`.
    pub(super) fn job_result_pages(&self, call: &Call, caller: &Caller, job: &Job) -> Result<Answer, ApiError> {
        if caller.version < RESULT_PAGES_FROM {
            return Err(ApiError::not_found());
        }
        let spool = finished(caller, job)?;
        let mut row = first_row(call, job, &spool)?;
        let base = format!("{}/jobs/query/{}", caller.root(), job.id);
        let mut pages = Vec::new();
        while row < spool.rows() && (pages.len() as u64) < PAGES_PER_CALL {
            let locator = locator::encode(job.id, row);
            pages.push(ResultPage { result_url: format!("{base}/results?locator={locator}") });
            row = row.saturating_add(self.unasked_rows());
        }
        let done = row >= spool.rows();
        // The guide writes the path of the link in lower case.
        let next = (!done).then(|| format!("{base}/resultpages?locator={}", locator::encode(job.id, row)));
        Ok(Answer::ok(&ResultPages { result_pages: pages, next_records_url: next, done }))
    }

    /// What the request asks for, "still subject to the size limits" (Bulk API 2.0 guide v66, `maxRecords`).
    fn rows_per_page(&self, call: &Call) -> Result<u64, ApiError> {
        match call.parameter("maxRecords").map(|text| text.parse::<u64>()) {
            None => Ok(self.unasked_rows()),
            Some(Ok(wanted)) if wanted > 0 => Ok(wanted.min(self.scenario.bulk.page_rows)),
            Some(_) => Err(ApiError::bad_request("API_ERROR", "maxRecords is not a positive number")),
        }
    }

    fn unasked_rows(&self) -> u64 {
        UNASKED_ROWS.min(self.scenario.bulk.page_rows)
    }
}

/// The results of a complete job, for the version that created it.
fn finished(caller: &Caller, job: &Job) -> Result<Arc<Spool>, ApiError> {
    if caller.version != job.version {
        let message = format!("API version v{}.0 is not the version of the job, v{}.0", caller.version, job.version);
        return Err(ApiError::new(StatusCode::CONFLICT, "API_ERROR", message));
    }
    job.results().ok_or_else(|| {
        let state = match job.state() {
            State::UploadComplete => "UploadComplete",
            State::InProgress => "InProgress",
            State::Aborted => "Aborted",
            State::JobComplete => "JobComplete",
            State::Failed => "Failed",
        };
        ApiError::bad_request("INVALIDJOBSTATE", format!("Results are not available in the state {state}"))
    })
}

fn first_row(call: &Call, job: &Job, spool: &Spool) -> Result<u64, ApiError> {
    let Some(text) = call.parameter("locator") else {
        return Ok(0);
    };
    let row = locator::decode(job.id, &text).filter(|row| *row < spool.rows().max(1));
    row.ok_or_else(invalid_locator)
}

fn invalid_locator() -> ApiError {
    ApiError::bad_request("INVALID_QUERY_LOCATOR", "invalid query locator")
}

fn page_bytes(spool: &Spool, rows: Range<u64>) -> io::Result<Range<u64>> {
    Ok(spool.offset(rows.start)?..spool.offset(rows.end)?)
}
