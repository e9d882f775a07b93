//! Ingest jobs of Bulk API 2.0: `/jobs/ingest` (Bulk API 2.0 guide v66, "Bulk API 2.0 Ingest").

mod create;
mod job;
mod results;
mod run;
mod upload;

use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::Value;

pub(super) use job::{Info, Job};

use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::faults::Effect;
use crate::org::Org;
use crate::rest::{Caller, allow, json_body};
use crate::route::BulkRoute;
use job::Closing;

impl Org {
    /// Answers calls below `/jobs/ingest`, but for the list.
    pub(super) async fn ingest(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        route: BulkRoute,
        effect: Option<&Effect>,
    ) -> Result<Answer, ApiError> {
        match route {
            BulkRoute::IngestJob(id) => {
                allow(call, &[Method::GET, Method::PATCH, Method::DELETE])?;
                let job = self.ingest_job(caller, &id, effect).await?;
                match call.method {
                    Method::PATCH => self.change_ingest_job(call, caller, job).await,
                    Method::DELETE => self.delete_ingest_job(&job),
                    _ => {
                        if job.is_ripe(self.now()) {
                            self.start_ingest_job(Arc::clone(&job));
                        }
                        Ok(Answer::ok(&job.detail(caller.version)))
                    }
                }
            }
            BulkRoute::IngestUpload(id) => {
                allow(call, &[Method::PUT])?;
                let job = self.ingest_job(caller, &id, effect).await?;
                self.upload_content(call, &job, effect).await
            }
            BulkRoute::IngestResults(id, rows) => {
                allow(call, &[Method::GET])?;
                let job = self.ingest_job(caller, &id, effect).await?;
                job.results(call, rows, effect)
            }
            _ => Err(ApiError::not_found()),
        }
    }

    /// The job that a request names, after a fault has had its way with it.
    async fn ingest_job(&self, caller: &Caller, id: &str, effect: Option<&Effect>) -> Result<Arc<Job>, ApiError> {
        let now = self.now();
        let job = self.jobs.ingest.find(id, caller.user_id, now).ok_or_else(ApiError::not_found)?;
        job.expire(now);
        match effect {
            Some(Effect::ExpiredJob) => {
                self.jobs.ingest.remove(job.id);
                Err(ApiError::not_found())
            }
            Some(Effect::AbortedJob) => {
                self.abort_ingest_job(&job).await;
                Ok(job)
            }
            _ => Ok(job),
        }
    }

    /// `PATCH`: closes the job or aborts it.
    async fn change_ingest_job(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        job: Arc<Job>,
    ) -> Result<Answer, ApiError> {
        let body: Value = json_body(call)?;
        match body["state"].as_str() {
            Some("UploadComplete") => match job.close(self.now()) {
                Closing::Closed => self.start_ingest_job(Arc::clone(&job)),
                Closing::WasNotOpen(state) => {
                    let message = format!("Job state transition from {state} to UploadComplete is not allowed");
                    return Err(ApiError::bad_request("INVALIDJOBSTATE", message));
                }
            },
            Some("Aborted") => {
                if !self.abort_ingest_job(&job).await {
                    let message = "Aborting already Completed Job not allowed";
                    return Err(ApiError::bad_request("INVALIDJOBSTATE", message));
                }
            }
            _ => {
                let message = "The state of a job can be set to UploadComplete or Aborted";
                return Err(ApiError::bad_request("INVALIDJOBSTATE", message));
            }
        }
        Ok(Answer::ok(&job.summary(caller.version)))
    }

    /// Aborts a job once the batch that it may be at is written; whether it was not over.
    async fn abort_ingest_job(&self, job: &Arc<Job>) -> bool {
        let (job, now) = (Arc::clone(job), self.now());
        let aborting = tokio::task::spawn_blocking(move || job.abort(now));
        aborting.await.unwrap_or(false)
    }

    fn delete_ingest_job(&self, job: &Job) -> Result<Answer, ApiError> {
        if !job.may_be_deleted() {
            let message = "Error encountered when deleting the job because the job is not terminated";
            return Err(ApiError::bad_request("API_ERROR", message));
        }
        job.stop();
        self.jobs.ingest.remove(job.id);
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }
}
