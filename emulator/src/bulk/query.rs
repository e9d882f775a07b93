//! Query jobs of Bulk API 2.0: `/jobs/query` (Bulk API 2.0 guide v66, "Bulk API 2.0 Query").

mod create;
mod job;
mod locator;
mod results;
mod run;

use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::Value;

pub(super) use job::{Job, Operation, Summary};

use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::faults::Effect;
use crate::org::Org;
use crate::rest::{Caller, allow, json_body};
use crate::route::BulkRoute;

impl Org {
    /// Answers calls below `/jobs/query`, but for the list.
    pub(super) fn query_jobs(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        route: BulkRoute,
        effect: Option<&Effect>,
    ) -> Result<Answer, ApiError> {
        match route {
            BulkRoute::QueryJob(id) => {
                allow(call, &[Method::GET, Method::PATCH, Method::DELETE])?;
                let job = self.query_job(caller, &id, effect)?;
                match call.method {
                    Method::PATCH => self.abort_query_job(call, &job),
                    Method::DELETE => self.delete_query_job(&job),
                    _ => {
                        if job.is_ripe(self.now()) {
                            self.start_query_job(Arc::clone(&job));
                        }
                        Ok(Answer::ok(&job.detail()))
                    }
                }
            }
            BulkRoute::QueryResults(id) => {
                allow(call, &[Method::GET])?;
                let job = self.query_job(caller, &id, effect)?;
                self.job_results(call, caller, &job, effect)
            }
            BulkRoute::QueryResultPages(id) => {
                allow(call, &[Method::GET])?;
                let job = self.query_job(caller, &id, effect)?;
                self.job_result_pages(call, caller, &job)
            }
            _ => Err(ApiError::not_found()),
        }
    }

    /// The job that a request names, after a fault has had its way with it.
    fn query_job(&self, caller: &Caller, id: &str, effect: Option<&Effect>) -> Result<Arc<Job>, ApiError> {
        let found = self.jobs.query.find(id, caller.user_id, self.now());
        let job = found.ok_or_else(ApiError::not_found)?;
        match effect {
            Some(Effect::ExpiredJob) => {
                self.jobs.query.remove(job.id);
                return Err(ApiError::not_found());
            }
            Some(Effect::AbortedJob) => {
                job.abort(self.now());
            }
            _ => {}
        }
        Ok(job)
    }

    fn abort_query_job(&self, call: &Call, job: &Job) -> Result<Answer, ApiError> {
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

    fn delete_query_job(&self, job: &Job) -> Result<Answer, ApiError> {
        if !job.state().is_terminal() {
            let message = "Error encountered when deleting the job because the job is not terminated";
            return Err(ApiError::bad_request("API_ERROR", message));
        }
        self.jobs.query.remove(job.id);
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }
}
