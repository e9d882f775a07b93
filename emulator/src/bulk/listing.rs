//! `GET /jobs/query`: the caller's jobs, a page at a time.

use serde::Serialize;

use super::job::Summary;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::ids::RecordId;
use crate::org::Org;
use crate::rest::Caller;

const PAGE: usize = 1000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    done: bool,
    records: Vec<Summary>,
    next_records_url: Option<String>,
}

impl Org {
    pub(super) fn list_jobs(&self, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        let is = |name: &str, wanted: &str| call.parameter(name).is_none_or(|value| value.eq_ignore_ascii_case(wanted));
        let after = call.parameter("queryLocator").and_then(|locator| RecordId::parse(&locator).ok());
        let mut jobs = self.jobs.of_user(caller.user_id, self.now());
        jobs.retain(|job| after.is_none_or(|after| job.id > after));
        if !is("jobType", "V2Query") || !is("concurrencyMode", "Parallel") {
            jobs.clear();
        }
        if let Some(wanted) = call.parameter("isPkChunkingEnabled") {
            jobs.retain(|job| job.plan.is_chunkable() == (wanted == "true"));
        }
        let done = jobs.len() <= PAGE;
        jobs.truncate(PAGE);
        let last = jobs.last().filter(|_| !done);
        // The guide's own sample links to /jobs/ingest here; this org serves the path that was called.
        let next = last.map(|job| format!("{}/jobs/query?queryLocator={}", caller.root(), job.id));
        let records = jobs.iter().map(|job| job.entry()).collect();
        Ok(Answer::ok(&Page { done, records, next_records_url: next }))
    }
}
