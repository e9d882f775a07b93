//! Bulk API 2.0 query jobs (Bulk API 2.0 guide v66, "Query").

mod create;
mod job;
mod listing;
mod locator;
mod results;
mod run;
mod spool;
mod version_one;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use http::{Method, StatusCode};
use serde_json::Value;

use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::faults::Effect;
use crate::ids::{KeyPrefix, RecordId};
use crate::org::Org;
use crate::rest::{Caller, allow, json_body};
use crate::route::DataRoute;
use crate::scenario::{Advance, BulkSpec};
use job::Job;
use spool::Disk;

/// Jobs and their results are kept for seven days.
const LIFE: TimeDelta = TimeDelta::days(7);
const JOB_PREFIX: &str = "750";

/// The query jobs of an org.
pub(crate) struct Jobs {
    all: Mutex<BTreeMap<RecordId, Arc<Job>>>,
    last: AtomicU64,
    advance: Mutex<Advance>,
    disk: Arc<Disk>,
}

impl Jobs {
    pub(crate) fn new(spec: &BulkSpec, folder: Option<PathBuf>) -> Self {
        Self {
            all: Mutex::default(),
            last: AtomicU64::new(0),
            advance: Mutex::new(spec.advance),
            disk: Arc::new(Disk::new(folder, spec.spool_megabytes << 20)),
        }
    }

    fn next_id(&self) -> RecordId {
        let prefix = KeyPrefix::parse(JOB_PREFIX).expect("750 is a key prefix");
        RecordId::new(prefix, self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn add(&self, job: Arc<Job>) {
        self.lock().insert(job.id, job);
    }

    /// A job of a user. Those of others and those past their life do not exist.
    fn find(&self, id: &str, user: RecordId, now: DateTime<Utc>) -> Result<Arc<Job>, ApiError> {
        let id = RecordId::parse(id).map_err(|_| ApiError::not_found())?;
        let mut all = self.lock();
        all.retain(|_, job| now - job.created < LIFE);
        let job = all.get(&id).filter(|job| job.created_by == user);
        job.cloned().ok_or_else(ApiError::not_found)
    }

    fn of_user(&self, user: RecordId, now: DateTime<Utc>) -> Vec<Arc<Job>> {
        let all = self.lock();
        let own = all.values().filter(|job| job.created_by == user && now - job.created < LIFE);
        own.cloned().collect()
    }

    fn remove(&self, id: RecordId) {
        self.lock().remove(&id);
    }

    /// Whether jobs run by themselves.
    pub(crate) fn set_advance(&self, advance: Advance) {
        *self.advance.lock().unwrap_or_else(PoisonError::into_inner) = advance;
    }

    fn advance(&self) -> Advance {
        *self.advance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The jobs that are not done.
    pub(crate) fn unfinished(&self) -> Vec<Arc<Job>> {
        let all = self.lock();
        all.values().filter(|job| !job.state().is_terminal()).cloned().collect()
    }

    /// Ends the work of every job, so that no thread goes on with it.
    pub(crate) fn abort_all(&self, now: DateTime<Utc>) {
        for job in self.unfinished() {
            job.abort(now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RecordId, Arc<Job>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Org {
    /// Answers calls below `/jobs/query`.
    pub(crate) async fn bulk(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        route: DataRoute,
        effect: Option<&Effect>,
    ) -> Result<Answer, ApiError> {
        match route {
            DataRoute::Jobs => {
                allow(call, &[Method::GET, Method::POST])?;
                match call.method {
                    Method::POST => self.create_job(call, caller, effect),
                    _ => self.list_jobs(call, caller),
                }
            }
            DataRoute::Job(id) => {
                allow(call, &[Method::GET, Method::PATCH, Method::DELETE])?;
                let job = self.job(caller, &id, effect)?;
                match call.method {
                    Method::PATCH => self.abort_job(call, &job),
                    Method::DELETE => self.delete_job(&job),
                    _ => {
                        if job.is_ripe(self.now()) {
                            self.start_job(Arc::clone(&job));
                        }
                        Ok(Answer::ok(&job.detail()))
                    }
                }
            }
            DataRoute::JobResults(id) => {
                allow(call, &[Method::GET])?;
                let job = self.job(caller, &id, effect)?;
                self.job_results(call, caller, &job, effect).await
            }
            DataRoute::JobResultPages(id) => {
                allow(call, &[Method::GET])?;
                let job = self.job(caller, &id, effect)?;
                self.job_result_pages(call, caller, &job)
            }
            _ => Err(ApiError::not_found()),
        }
    }

    /// The job that a request names, after a fault has had its way with it.
    fn job(&self, caller: &Caller, id: &str, effect: Option<&Effect>) -> Result<Arc<Job>, ApiError> {
        let job = self.jobs.find(id, caller.user_id, self.now())?;
        match effect {
            Some(Effect::ExpiredJob) => {
                self.jobs.remove(job.id);
                return Err(ApiError::not_found());
            }
            Some(Effect::AbortedJob) => {
                job.abort(self.now());
            }
            _ => {}
        }
        Ok(job)
    }

    fn abort_job(&self, call: &Call, job: &Job) -> Result<Answer, ApiError> {
        let body: Value = json_body(call)?;
        if body["state"] != "Aborted" {
            return Err(ApiError::bad_request("INVALIDJOBSTATE", "A query job can only be set to Aborted"));
        }
        if !job.abort(self.now()) {
            let message = "Aborting already Completed Job not allowed";
            return Err(ApiError::bad_request("INVALIDJOBSTATE", message));
        }
        Ok(Answer::ok(&job.detail()))
    }

    fn delete_job(&self, job: &Job) -> Result<Answer, ApiError> {
        if !job.state().is_terminal() {
            let message = "Error encountered when deleting the job because the job is not terminated";
            return Err(ApiError::bad_request("API_ERROR", message));
        }
        self.jobs.remove(job.id);
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }
}
