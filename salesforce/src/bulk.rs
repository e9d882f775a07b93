//! Bulk API 2.0 query jobs and their result pages.

mod budget;
mod pages;
mod results;
mod transfer;

use std::{num::NonZeroUsize, time::Duration};

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

pub use self::results::{BulkResults, ResultChunk};
use crate::{
    client::Client,
    error::{ApiError, ErrorCode, body::redact},
    http::{Answer, Request},
    query::{Deleted, encode},
    time::Timestamp,
};

/// A query job's id, 18 characters, prefix `750`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub String);

/// An opaque name of a result page; stable while the job lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Locator(pub String);

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum JobState {
    UploadComplete,
    InProgress,
    Aborted,
    JobComplete,
    Failed,
}

/// A query job as Salesforce reports it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryJob {
    pub id: JobId,
    pub state: JobState,
    #[serde(default)]
    pub object: String,
    /// By the org's clock, before any record is read.
    #[serde(default)]
    pub created_date: Option<Timestamp>,
    #[serde(default)]
    pub number_records_processed: u64,
    #[serde(default)]
    pub error_message: Option<String>,
}

/// How patiently to wait for a job, and how often to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobWait {
    /// The first pause; doubles with each.
    pub first: Duration,
    /// No pause is longer.
    pub longest: Duration,
    /// The sum of the pauses in which neither the job's state nor its number of records changes. A job that advances is
    /// waited for, however long it takes; one that does not goes on in the org all the same.
    pub standstill: Duration,
}

impl Default for JobWait {
    /// A job that needs an hour costs about 130 calls.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(200),
            longest: Duration::from_secs(30),
            standstill: Duration::from_secs(30 * 60),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewJob<'a> {
    operation: &'a str,
    query: &'a str,
    content_type: &'static str,
    column_delimiter: &'static str,
    line_ending: &'static str,
}

const JOBS: &str = "/services/data/{version}/jobs/query";
const JOB: &str = "/services/data/{version}/jobs/query/{job}";

impl Client {
    /// Creates a query job (CSV, comma, LF).
    ///
    /// Sent again even when an answer is lost: a job that nobody reads ends by itself and is kept for seven days
    /// (Bulk API 2.0 guide v66, "Create a Query Job").
    ///
    /// # Errors
    /// [`Refusal::by_bulk`](crate::error::Refusal::by_bulk) tells what REST may read all the same.
    pub async fn create_query_job(&self, soql: &str, deleted: Deleted) -> Result<QueryJob, ApiError> {
        let job = NewJob {
            operation: deleted.operation(),
            query: soql,
            content_type: "CSV",
            column_delimiter: "COMMA",
            line_ending: "LF",
        };
        let body = serde_json::to_vec(&job).expect("strings serialise");
        let request = Request::new(Method::POST, JOBS, self.data_path("jobs/query"), "creating a query job");
        let request = request.making_a_job();
        self.call::<Answer>(&request.json(body.into())).await?.json()
    }

    /// Asks for the list of query jobs and takes none of it: whether Bulk answers at all, for one request and no job.
    ///
    /// # Errors
    /// [`Refusal::by_bulk`](crate::error::Refusal::by_bulk) tells when the user or the org has no Bulk API.
    pub async fn ask_for_bulk(&self) -> Result<(), ApiError> {
        let request = Request::get(JOBS, self.data_path("jobs/query"), "asking whether Bulk answers");
        self.call::<Answer>(&request).await.map(drop)
    }

    /// Asks once how a job stands.
    pub async fn query_job(&self, job: &JobId) -> Result<QueryJob, ApiError> {
        let request = Request::get(JOB, self.job_path(job), format!("asking how query job {job} stands"));
        self.call::<Answer>(&request).await?.json()
    }

    /// Asks again and again how a job stands, until it is complete; `seen` hears each answer. A job that advances is
    /// waited for however long it takes.
    ///
    /// # Errors
    /// As [`Client::wait_for_query_job_within`], for the default [`JobWait`].
    pub async fn wait_for_query_job(
        &self,
        job: &JobId,
        seen: &mut (dyn FnMut(&QueryJob) + Send),
    ) -> Result<QueryJob, ApiError> {
        self.wait_for_query_job_within(job, JobWait::default(), seen).await
    }

    /// Like [`Client::wait_for_query_job`], as often as `wait` says and as patiently.
    ///
    /// # Errors
    /// [`ApiError::JobEnded`] for a job that failed or was aborted, [`ApiError::JobUnfinished`] when it stands still for too long.
    pub async fn wait_for_query_job_within(
        &self,
        job: &JobId,
        wait: JobWait,
        seen: &mut (dyn FnMut(&QueryJob) + Send),
    ) -> Result<QueryJob, ApiError> {
        let (mut pause, mut still, mut last) = (wait.first, Duration::ZERO, None);
        loop {
            let answer = self.query_job(job).await?;
            seen(&answer);
            let stands = (answer.state, answer.number_records_processed);
            if last.replace(stands).is_some_and(|last| last != stands) {
                still = Duration::ZERO;
            }
            match answer.state {
                JobState::JobComplete => return Ok(answer),
                JobState::UploadComplete | JobState::InProgress => {}
                JobState::Aborted | JobState::Failed => {
                    return Err(ApiError::JobEnded {
                        job: job.clone(),
                        aborted: answer.state == JobState::Aborted,
                        message: redact(&answer.error_message.unwrap_or_default()),
                    });
                }
            }
            if still >= wait.standstill {
                return Err(ApiError::JobUnfinished { job: job.clone(), waited: still });
            }
            self.http().timer().sleep(pause).await;
            still += pause;
            pause = pause.saturating_mul(2).min(wait.longest);
        }
    }

    /// Stops a job that is queued or running. A job that is aborted already stays so.
    ///
    /// # Errors
    /// `INVALIDJOBSTATE` for a job that is complete.
    pub async fn abort_query_job(&self, job: &JobId) -> Result<(), ApiError> {
        let request = Request::new(Method::PATCH, JOB, self.job_path(job), format!("aborting query job {job}"));
        let request = request.json(Bytes::from_static(br#"{"state":"Aborted"}"#));
        match self.call::<Answer>(&request).await {
            // The answer to an earlier attempt may have been lost.
            Err(error) if error.code() == Some(&ErrorCode::InvalidJobState) => {
                let answer = self.query_job(job).await?;
                if answer.state == JobState::Aborted { Ok(()) } else { Err(error) }
            }
            outcome => outcome.map(drop),
        }
    }

    /// Deletes a job that has ended, with its results. A job that is gone already is no error.
    ///
    /// # Errors
    /// `API_ERROR` for a job that still runs.
    pub async fn delete_query_job(&self, job: &JobId) -> Result<(), ApiError> {
        let request = Request::new(Method::DELETE, JOB, self.job_path(job), format!("deleting query job {job}"));
        match self.call::<Answer>(&request).await {
            Err(error) if error.code() == Some(&ErrorCode::NotFound) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Opens the results of a finished job at page `from` (`None`: the first), holding at most `ahead_bytes` that
    /// nobody has taken yet.
    ///
    /// A page has at most `page_rows` records, and fewer where Salesforce finds that too many; `None` leaves the number to
    /// Salesforce. A page is named by its locator and this number: whoever goes on at `from` gives the one that it was
    /// found with. Source: Bulk API 2.0 guide v66, "Get Results for a Query Job", which names neither a default nor a
    /// maximum of `maxRecords`.
    ///
    /// The client's API version must be the one that the job was created with: another is answered with 409 (Bulk API
    /// 2.0 guide v66, "Get Results for a Query Job"). Pages are fetched by background tasks, so this is called inside
    /// a tokio runtime.
    pub fn query_results(
        &self,
        job: &JobId,
        page_rows: Option<u32>,
        from: Option<Locator>,
        ahead_bytes: NonZeroUsize,
    ) -> BulkResults {
        BulkResults::open(self.clone(), job.clone(), page_rows, from, ahead_bytes)
    }

    fn job_path(&self, job: &JobId) -> String {
        self.data_path(&format!("jobs/query/{}", encode(&job.0)))
    }
}

impl std::fmt::Display for JobId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}
