//! `GET /jobs/query` and `GET /jobs/ingest`: the caller's jobs, a page at a time.
//!
//! Source: Bulk API 2.0 guide v66, "Get Information About All Query Jobs" and "Get All Jobs". Both filter by `jobType`;
//! that the first lists query jobs and the second every kind when it is left out is inferred from their titles.

use serde::Serialize;

use super::{ingest, one, query};
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::ids::RecordId;
use crate::org::Org;
use crate::rest::Caller;
use crate::route::BulkRoute;

const PAGE: usize = 1000;

/// An entry, in the words of its kind.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry {
    Query(query::Summary),
    Ingest(ingest::Info),
    Classic(one::Entry),
}

/// A job and what a list is filtered by.
struct Listed {
    id: RecordId,
    kind: &'static str,
    concurrency: &'static str,
    is_chunked: bool,
    entry: Entry,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    done: bool,
    records: Vec<Entry>,
    next_records_url: Option<String>,
}

impl Org {
    pub(super) fn list_jobs(&self, call: &Call, caller: &Caller, route: &BulkRoute) -> Result<Answer, ApiError> {
        let (path, usual) = match route {
            BulkRoute::QueryJobs => ("query", Some("V2Query".into())),
            _ => ("ingest", None),
        };
        let kind = call.parameter("jobType").or(usual);
        let concurrency = call.parameter("concurrencyMode");
        let chunked = call.parameter("isPkChunkingEnabled").map(|wanted| wanted == "true");
        let after = call.parameter("queryLocator").and_then(|locator| RecordId::parse(&locator).ok());
        let mut jobs = self.jobs_of(caller);
        jobs.retain(|job| {
            after.is_none_or(|after| job.id > after)
                && kind.as_ref().is_none_or(|kind| job.kind.eq_ignore_ascii_case(kind))
                && concurrency.as_ref().is_none_or(|mode| job.concurrency.eq_ignore_ascii_case(mode))
                && chunked.is_none_or(|chunked| job.is_chunked == chunked)
        });
        jobs.sort_by_key(|job| job.id);
        let done = jobs.len() <= PAGE;
        jobs.truncate(PAGE);
        let last = jobs.last().filter(|_| !done);
        // The guide's own sample links to /jobs/ingest everywhere; this org serves the path that was called.
        let next = last.map(|job| format!("{}/jobs/{path}?queryLocator={}", caller.root(), job.id));
        let records = jobs.into_iter().map(|job| job.entry).collect();
        Ok(Answer::ok(&Page { done, records, next_records_url: next }))
    }

    fn jobs_of(&self, caller: &Caller) -> Vec<Listed> {
        let (user, now) = (caller.user_id, self.now());
        let query = self.jobs.query.of_user(user, now).into_iter().map(|job| Listed {
            id: job.id,
            kind: "V2Query",
            concurrency: "Parallel",
            is_chunked: job.plan.is_chunkable(),
            entry: Entry::Query(job.entry()),
        });
        let ingest = self.jobs.ingest.of_user(user, now).into_iter().map(|job| Listed {
            id: job.id,
            kind: "V2Ingest",
            concurrency: "Parallel",
            is_chunked: false,
            entry: Entry::Ingest(job.entry(caller.version)),
        });
        let classic = self.jobs.one.of_user(user, now).into_iter().map(|job| Listed {
            id: job.id,
            kind: "Classic",
            concurrency: job.concurrency(),
            is_chunked: job.is_chunked(),
            entry: Entry::Classic(job.entry()),
        });
        query.chain(ingest).chain(classic).collect()
    }
}
