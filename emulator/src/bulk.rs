//! The Bulk APIs: query and ingest jobs of Bulk API 2.0, and Bulk API 1.0 with its batches.
//!
//! Uploads and results lie in files without a name ([`mod@file`]); jobs know where. Rows are read by [`csv`] and [`columns`],
//! and written by [`load`], for both APIs. A job moves by itself or by one step at a time, as the scenario says.

mod columns;
mod csv;
mod dialect;
mod fate;
mod file;
mod ingest;
mod listing;
mod load;
mod one;
mod query;
mod registry;
mod spool;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use http::Method;

use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::faults::Effect;
use crate::ids::{KeyPrefix, RecordId};
use crate::org::Org;
use crate::rest::{Caller, allow};
use crate::route::BulkRoute;
use crate::scenario::{Advance, BulkSpec};
use crate::value::Timestamp;
use file::Disk;
use registry::Shelf;

const JOB_PREFIX: &str = "750";
const BATCH_PREFIX: &str = "751";
const RESULT_PREFIX: &str = "752";

/// The Bulk jobs of an org.
pub(crate) struct Jobs {
    query: Shelf<query::Job>,
    ingest: Shelf<ingest::Job>,
    one: Shelf<one::Job>,
    last_job: AtomicU64,
    last_batch: AtomicU64,
    last_result: AtomicU64,
    advance: Mutex<Advance>,
    disk: Arc<Disk>,
    loading: Mutex<()>,
}

impl Jobs {
    pub(crate) fn new(spec: &BulkSpec, folder: Option<PathBuf>) -> Self {
        Self {
            query: Shelf::default(),
            ingest: Shelf::default(),
            one: Shelf::default(),
            last_job: AtomicU64::new(0),
            last_batch: AtomicU64::new(0),
            last_result: AtomicU64::new(0),
            advance: Mutex::new(spec.advance),
            disk: Arc::new(Disk::new(folder, spec.spool_megabytes << 20)),
            loading: Mutex::default(),
        }
    }

    fn next_job_id(&self) -> RecordId {
        next_id(JOB_PREFIX, &self.last_job)
    }

    fn next_batch_id(&self) -> RecordId {
        next_id(BATCH_PREFIX, &self.last_batch)
    }

    fn next_result_id(&self) -> RecordId {
        next_id(RESULT_PREFIX, &self.last_result)
    }

    fn disk(&self) -> &Arc<Disk> {
        &self.disk
    }

    /// Waits for the turn to have the rows of a whole batch in memory: many batches at once take no more of it than one,
    /// and are written one after the other anyway.
    fn turn_to_load(&self) -> MutexGuard<'_, ()> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether jobs run by themselves.
    pub(crate) fn set_advance(&self, advance: Advance) {
        *self.advance.lock().unwrap_or_else(PoisonError::into_inner) = advance;
    }

    fn advance(&self) -> Advance {
        *self.advance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the work of every job, so that no thread goes on with it.
    pub(crate) fn abort_all(&self, now: DateTime<Utc>) {
        for job in self.query.all() {
            job.abort(now);
        }
        self.ingest.all().iter().for_each(|job| job.stop());
        self.one.all().iter().for_each(|job| job.stop());
    }
}

fn next_id(prefix: &str, last: &AtomicU64) -> RecordId {
    let prefix = KeyPrefix::parse(prefix).expect("the prefixes of jobs are key prefixes");
    RecordId::new(prefix, last.fetch_add(1, Ordering::Relaxed) + 1)
}

impl Org {
    /// Answers calls of Bulk API 2.0, below `/jobs`.
    pub(crate) async fn bulk(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        route: BulkRoute,
        effect: Option<&Effect>,
    ) -> Result<Answer, ApiError> {
        if !self.scenario.bulk.enabled {
            return Err(ApiError::bad_request("FEATURENOTENABLED", "Async API not enabled"));
        }
        match route {
            BulkRoute::QueryJobs | BulkRoute::IngestJobs => {
                allow(call, &[Method::GET, Method::POST])?;
                match (&call.method, route) {
                    (&Method::POST, BulkRoute::QueryJobs) => self.create_query_job(call, caller, effect),
                    (&Method::POST, _) => self.create_ingest_job(call, caller, effect),
                    (_, route) => self.list_jobs(call, caller, &route),
                }
            }
            route @ (BulkRoute::QueryJob(_) | BulkRoute::QueryResults(_) | BulkRoute::QueryResultPages(_)) => {
                self.query_jobs(call, caller, route, effect)
            }
            route @ (BulkRoute::IngestJob(_) | BulkRoute::IngestUpload(_) | BulkRoute::IngestResults(..)) => {
                self.ingest(call, caller, route, effect).await
            }
        }
    }

    /// Takes every unfinished job one state further.
    pub(crate) fn step_jobs(self: &Arc<Self>) {
        for job in self.jobs.query.all() {
            self.step_query_job(&job);
        }
        for job in self.jobs.ingest.all() {
            self.step_ingest_job(&job);
        }
        for job in self.jobs.one.all() {
            self.step_batches(&job);
        }
    }
}

fn rest_time(time: DateTime<Utc>) -> String {
    let mut text = Vec::new();
    Timestamp::from(time).whole_seconds().write_rest(&mut text);
    String::from_utf8(text).expect("times are ASCII")
}

/// Reads an upload as the Bulk APIs do, whatever it is; for fuzzing. The first byte chooses the format.
pub(crate) fn read_upload(input: &[u8]) {
    one::read_any(input);
}
