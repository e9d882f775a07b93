//! One query job and its state.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::bulk::dialect::{ColumnDelimiter, Format, LineEnd};
use crate::bulk::fate::Fate;
use crate::bulk::registry::Kept;
use crate::bulk::rest_time;
use crate::bulk::spool::Spool;
use crate::ids::RecordId;
use crate::scenario::UserAccess;
use crate::schema::Schema;
use crate::soql::{Plan, RowScope};

/// What a job asks, so that it can be understood again when objects have changed before it runs.
pub(super) struct Question {
    pub(super) query: String,
    pub(super) access: UserAccess,
    /// The objects as they were when it was understood.
    pub(super) schema: Arc<Schema>,
}

/// State of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum State {
    UploadComplete,
    InProgress,
    Aborted,
    JobComplete,
    Failed,
}

impl State {
    pub(crate) fn is_terminal(self) -> bool {
        match self {
            Self::UploadComplete | Self::InProgress => false,
            Self::Aborted | Self::JobComplete | Self::Failed => true,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(in crate::bulk) enum Operation {
    Query,
    QueryAll,
}

impl Operation {
    pub(in crate::bulk) fn scope(self) -> RowScope {
        match self {
            Self::Query => RowScope::Live,
            Self::QueryAll => RowScope::All,
        }
    }
}

/// One job.
pub(crate) struct Job {
    pub(in crate::bulk) id: RecordId,
    pub(super) operation: Operation,
    pub(super) created_by: RecordId,
    pub(super) created: DateTime<Utc>,
    /// API version that created it; results are given to the same version only.
    pub(super) version: u16,
    pub(super) format: Format,
    pub(in crate::bulk) plan: Arc<Plan>,
    pub(super) question: Question,
    pub(super) fate: Fate,
    progress: Mutex<Progress>,
}

struct Progress {
    state: State,
    changed: DateTime<Utc>,
    records: u64,
    worked: Duration,
    results: Option<Arc<Spool>>,
    failure: Option<String>,
}

/// A job as the list and the answer to its creation show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::bulk) struct Summary {
    id: String,
    operation: Operation,
    object: String,
    created_by_id: String,
    created_date: String,
    system_modstamp: String,
    state: State,
    concurrency_mode: &'static str,
    content_type: &'static str,
    api_version: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_type: Option<&'static str>,
    line_ending: LineEnd,
    column_delimiter: ColumnDelimiter,
}

/// A job as polling shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Detail {
    #[serde(flatten)]
    summary: Summary,
    number_records_processed: u64,
    retries: u32,
    total_processing_time: u64,
    is_pk_chunking_supported: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

/// What a job is made of.
pub(super) struct Order {
    pub(super) operation: Operation,
    pub(super) version: u16,
    pub(super) format: Format,
    pub(super) plan: Arc<Plan>,
    pub(super) question: Question,
    pub(super) fate: Fate,
}

impl Kept for Job {
    fn id(&self) -> RecordId {
        self.id
    }

    fn created_by(&self) -> RecordId {
        self.created_by
    }

    fn created(&self) -> DateTime<Utc> {
        self.created
    }
}

impl Job {
    pub(super) fn new(id: RecordId, created_by: RecordId, created: DateTime<Utc>, order: Order) -> Self {
        let progress = Progress {
            state: State::UploadComplete,
            changed: created,
            records: 0,
            worked: Duration::ZERO,
            results: None,
            failure: None,
        };
        Self {
            id,
            operation: order.operation,
            created_by,
            created,
            version: order.version,
            format: order.format,
            plan: order.plan,
            question: order.question,
            fate: order.fate,
            progress: Mutex::new(progress),
        }
    }

    /// Whether a slow job has been at work for long enough.
    pub(super) fn is_ripe(&self, now: DateTime<Utc>) -> bool {
        self.fate.is_ripe(now) && self.state() == State::InProgress
    }

    pub(crate) fn state(&self) -> State {
        self.progress().state
    }

    /// The results of a complete job.
    pub(super) fn results(&self) -> Option<Arc<Spool>> {
        self.progress().results.clone()
    }

    /// Moves from the queue to work; whether this call did it.
    pub(super) fn begin(&self, now: DateTime<Utc>) -> bool {
        self.change(State::UploadComplete, State::InProgress, now, |_| {})
    }

    pub(super) fn complete(&self, results: Spool, worked: Duration, now: DateTime<Utc>) -> bool {
        self.change(State::InProgress, State::JobComplete, now, |progress| {
            progress.records = results.rows();
            progress.worked = worked;
            progress.results = Some(Arc::new(results));
        })
    }

    pub(in crate::bulk) fn fail(&self, message: String, now: DateTime<Utc>) -> bool {
        self.change(State::InProgress, State::Failed, now, |progress| progress.failure = Some(message))
    }

    /// Aborts a job that is not done; whether it was not.
    pub(in crate::bulk) fn abort(&self, now: DateTime<Utc>) -> bool {
        let nothing = |_: &mut Progress| {};
        self.change(State::UploadComplete, State::Aborted, now, nothing)
            || self.change(State::InProgress, State::Aborted, now, nothing)
    }

    /// Counts rows while the job is at work; whether it still is.
    pub(super) fn report(&self, records: u64) -> bool {
        let mut progress = self.progress();
        progress.records = records;
        progress.state == State::InProgress
    }

    fn change(&self, from: State, to: State, now: DateTime<Utc>, with: impl FnOnce(&mut Progress)) -> bool {
        let mut progress = self.progress();
        if progress.state != from {
            return false;
        }
        progress.state = to;
        progress.changed = now;
        with(&mut progress);
        true
    }

    pub(super) fn summary(&self) -> Summary {
        let progress = self.progress();
        Summary {
            id: self.id.to_string(),
            operation: self.operation,
            object: self.plan.object().name.clone(),
            created_by_id: self.created_by.to_string(),
            created_date: rest_time(self.created),
            system_modstamp: rest_time(progress.changed),
            state: progress.state,
            concurrency_mode: "Parallel",
            content_type: "CSV",
            api_version: f64::from(self.version),
            job_type: None,
            line_ending: self.format.line_ending,
            column_delimiter: self.format.delimiter,
        }
    }

    /// The entry of a list: the summary and the kind of job.
    pub(in crate::bulk) fn entry(&self) -> Summary {
        Summary { job_type: Some("V2Query"), ..self.summary() }
    }

    pub(super) fn detail(&self) -> Detail {
        let summary = self.entry();
        let progress = self.progress();
        Detail {
            summary,
            number_records_processed: progress.records,
            retries: 0,
            total_processing_time: u64::try_from(progress.worked.as_millis()).unwrap_or(u64::MAX),
            is_pk_chunking_supported: self.plan.is_chunkable(),
            error_message: progress.failure.clone(),
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
