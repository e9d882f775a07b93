//! Bulk API 2.0 query jobs and their result pages.

use std::num::NonZeroUsize;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{client::Client, error::ApiError, query::Deleted};

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
    #[serde(default)]
    pub number_records_processed: u64,
    #[serde(default)]
    pub error_message: Option<String>,
}

/// What the reader of results is handed, in page order.
#[derive(Debug)]
pub enum ResultChunk {
    /// A page begins, or begins again after a broken transfer: rows taken since the last `PageStart` of the same
    /// page are to be counted anew. `locator` names this page (`None`: the first).
    PageStart {
        locator: Option<Locator>,
    },
    Bytes(Bytes),
    /// The page is whole. `rows` is what Salesforce says it holds; `next` names the following page.
    PageEnd {
        rows: Option<u64>,
        next: Option<Locator>,
    },
}

/// The pages of a finished job, fetched ahead under a bound of bytes, handed over in order.
pub struct BulkResults {}

impl BulkResults {
    /// The next piece, or `None` after the last page.
    pub async fn next(&mut self) -> Result<Option<ResultChunk>, ApiError> {
        todo!()
    }
}

impl Client {
    /// Creates a query job (CSV, comma, LF).
    pub async fn create_query_job(&self, _soql: &str, _deleted: Deleted) -> Result<QueryJob, ApiError> {
        todo!()
    }

    /// Asks once how a job stands.
    pub async fn query_job(&self, _job: &JobId) -> Result<QueryJob, ApiError> {
        todo!()
    }

    /// Asks again and again how a job stands, until it has ended; `seen` hears each answer. The state is
    /// `JobComplete` when this returns `Ok`.
    pub async fn wait_for_query_job(
        &self,
        _job: &JobId,
        _seen: &mut (dyn FnMut(&QueryJob) + Send),
    ) -> Result<QueryJob, ApiError> {
        todo!()
    }

    pub async fn abort_query_job(&self, _job: &JobId) -> Result<(), ApiError> {
        todo!()
    }

    pub async fn delete_query_job(&self, _job: &JobId) -> Result<(), ApiError> {
        todo!()
    }

    /// Opens the results of a finished job at page `from` (`None`: the first), holding at most `ahead_bytes` that
    /// nobody has taken yet.
    pub fn query_results(&self, _job: &JobId, _from: Option<Locator>, _ahead_bytes: NonZeroUsize) -> BulkResults {
        todo!()
    }
}

impl std::fmt::Display for JobId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}
