//! One ingest job and its state.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::results::Results;
use super::run::Load;
use crate::bulk::dialect::{ColumnDelimiter, Format, LineEnd};
use crate::bulk::fate::Fate;
use crate::bulk::file::Stored;
use crate::bulk::load::{Operation, Target};
use crate::bulk::registry::Kept;
use crate::bulk::rest_time;
use crate::ids::RecordId;

/// A job has to be closed within a day (Bulk API 2.0 guide v66, limits). That it ends as `Aborted` is inferred.
const LONGEST_OPEN: TimeDelta = TimeDelta::hours(24);

/// What a job is made of.
pub(super) struct Order {
    pub(super) target: Target,
    pub(super) format: Format,
    pub(super) assignment_rule: Option<String>,
    pub(super) version: u16,
    pub(super) fate: Fate,
}

/// One job.
pub(in crate::bulk) struct Job {
    pub(in crate::bulk) id: RecordId,
    created: DateTime<Utc>,
    pub(super) order: Order,
    /// Set by whoever wants no further batch to be written.
    stopped: AtomicBool,
    progress: Mutex<Progress>,
    /// Held while a batch is written.
    work: Mutex<Work>,
}

/// State of a job, with what belongs to it.
#[derive(Clone, Debug)]
pub(super) enum State {
    Open(Option<Arc<Stored>>),
    UploadComplete(Option<Arc<Stored>>),
    InProgress(Option<Arc<Stored>>),
    Over(Ending, Results),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Complete,
    Failed(String),
    Aborted,
}

impl State {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Open(_) => "Open",
            Self::UploadComplete(_) => "UploadComplete",
            Self::InProgress(_) => "InProgress",
            Self::Over(Ending::Complete, _) => "JobComplete",
            Self::Over(Ending::Failed(_), _) => "Failed",
            Self::Over(Ending::Aborted, _) => "Aborted",
        }
    }
}

/// What the one who works on the job needs.
#[derive(Default)]
pub(super) enum Work {
    #[default]
    NotBegun,
    Begun(Box<Load>),
}

struct Progress {
    state: State,
    changed: DateTime<Utc>,
    processed: u64,
    failed: u64,
    worked: Duration,
}

/// What closing a job came to.
pub(super) enum Closing {
    Closed,
    WasNotOpen(&'static str),
}

/// What became of an upload.
pub(super) enum Receipt {
    Taken,
    AlreadyThere,
    WasNotOpen(&'static str),
}

/// A job as the answers to its creation and its changes show it, and as an entry of a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::bulk) struct Info {
    pub(in crate::bulk) id: String,
    operation: Operation,
    object: String,
    created_by_id: String,
    created_date: String,
    system_modstamp: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id_field_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assignment_rule_id: Option<String>,
    concurrency_mode: &'static str,
    content_type: &'static str,
    api_version: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_url: Option<String>,
    line_ending: LineEnd,
    column_delimiter: ColumnDelimiter,
}

/// A job as polling shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Detail {
    #[serde(flatten)]
    info: Info,
    number_records_processed: u64,
    number_records_failed: u64,
    retries: u32,
    total_processing_time: u64,
    api_active_processing_time: u64,
    apex_processing_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

impl Kept for Job {
    fn id(&self) -> RecordId {
        self.id
    }

    fn created_by(&self) -> RecordId {
        self.order.target.user
    }

    fn created(&self) -> DateTime<Utc> {
        self.created
    }
}

impl Job {
    pub(super) fn new(id: RecordId, created: DateTime<Utc>, order: Order) -> Self {
        let state = State::Open(None);
        let progress = Progress { state, changed: created, processed: 0, failed: 0, worked: Duration::ZERO };
        Self {
            id,
            created,
            order,
            stopped: AtomicBool::new(false),
            progress: Mutex::new(progress),
            work: Mutex::default(),
        }
    }

    pub(super) fn state(&self) -> State {
        self.progress().state.clone()
    }

    pub(in crate::bulk) fn is_over(&self) -> bool {
        matches!(self.progress().state, State::Over(..))
    }

    /// Whether a slow job has been at work for long enough.
    pub(super) fn is_ripe(&self, now: DateTime<Utc>) -> bool {
        self.order.fate.is_ripe(now) && matches!(self.progress().state, State::InProgress(_))
    }

    /// Keeps an upload, the first one.
    pub(super) fn receive(&self, upload: Arc<Stored>, now: DateTime<Utc>) -> Receipt {
        let mut progress = self.progress();
        match &progress.state {
            State::Open(None) => {}
            State::Open(Some(_)) => return Receipt::AlreadyThere,
            other => return Receipt::WasNotOpen(other.name()),
        }
        progress.turn_to(State::Open(Some(upload)), now);
        Receipt::Taken
    }

    /// Puts an open job into the queue.
    pub(super) fn close(&self, now: DateTime<Utc>) -> Closing {
        let mut progress = self.progress();
        match progress.state.clone() {
            State::Open(upload) => {
                progress.turn_to(State::UploadComplete(upload), now);
                Closing::Closed
            }
            other => Closing::WasNotOpen(other.name()),
        }
    }

    /// Moves from the queue to work.
    pub(super) fn begin(&self, now: DateTime<Utc>) {
        let mut progress = self.progress();
        if let State::UploadComplete(upload) = progress.state.clone() {
            progress.turn_to(State::InProgress(upload), now);
        }
    }

    /// Ends a job that has been left open for too long.
    pub(super) fn expire(&self, now: DateTime<Utc>) {
        let is_old = now - self.created >= LONGEST_OPEN;
        if is_old && matches!(self.progress().state, State::Open(_)) {
            self.abort(now);
        }
    }

    /// Keeps the job from writing another batch.
    pub(in crate::bulk) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Aborts the job, waiting for the batch that is being written; whether it was not over.
    pub(super) fn abort(&self, now: DateTime<Utc>) -> bool {
        if self.is_over() {
            return false;
        }
        self.stop();
        let mut work = self.work();
        self.end(&mut work, Ending::Aborted, now)
    }

    /// Ends the job with what there is; whether it was not over.
    pub(super) fn end(&self, work: &mut Work, ending: Ending, now: DateTime<Utc>) -> bool {
        let upload = match self.state() {
            State::Open(upload) | State::UploadComplete(upload) | State::InProgress(upload) => upload,
            State::Over(..) => return false,
        };
        let (ending, results) = match std::mem::take(work) {
            Work::NotBegun => (ending, Results::untouched(upload)),
            Work::Begun(load) => match load.finish() {
                Ok(results) => (ending, results),
                Err(error) => (Ending::Failed(error.to_string()), Results::untouched(upload)),
            },
        };
        self.progress().turn_to(State::Over(ending, results), now);
        true
    }

    /// Takes note of a batch that has been written.
    pub(super) fn report(&self, processed: u64, failed: u64, worked: Duration) {
        let mut progress = self.progress();
        (progress.processed, progress.failed) = (processed, failed);
        progress.worked += worked;
    }

    /// Source: Bulk API 2.0 guide v66, "Delete a Job".
    pub(super) fn may_be_deleted(&self) -> bool {
        matches!(self.progress().state, State::UploadComplete(_) | State::Over(..))
    }

    pub(super) fn summary(&self, version: u16) -> Info {
        let progress = self.progress();
        let Order { target, format, .. } = &self.order;
        let is_open = matches!(progress.state, State::Open(_));
        Info {
            id: self.id.to_string(),
            operation: target.operation,
            object: target.object.clone(),
            created_by_id: target.user.to_string(),
            created_date: rest_time(self.created),
            system_modstamp: rest_time(progress.changed),
            state: progress.state.name(),
            external_id_field_name: target.key.clone(),
            assignment_rule_id: self.order.assignment_rule.clone(),
            concurrency_mode: "Parallel",
            content_type: "CSV",
            api_version: f64::from(self.order.version),
            job_type: None,
            content_url: is_open.then(|| format!("services/data/v{version}.0/jobs/ingest/{}/batches", self.id)),
            line_ending: format.line_ending,
            column_delimiter: format.delimiter,
        }
    }

    /// The entry of a list: the summary and the kind of job.
    pub(in crate::bulk) fn entry(&self, version: u16) -> Info {
        Info { job_type: Some("V2Ingest"), ..self.summary(version) }
    }

    pub(super) fn detail(&self, version: u16) -> Detail {
        let info = self.entry(version);
        let progress = self.progress();
        let milliseconds = u64::try_from(progress.worked.as_millis()).unwrap_or(u64::MAX);
        Detail {
            info,
            number_records_processed: progress.processed,
            number_records_failed: progress.failed,
            retries: 0,
            total_processing_time: milliseconds,
            api_active_processing_time: milliseconds,
            apex_processing_time: 0,
            error_message: match &progress.state {
                State::Over(Ending::Failed(message), _) => Some(message.clone()),
                _ => None,
            },
        }
    }

    /// Waits until nobody works on the job.
    pub(super) fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn turn_to(&mut self, state: State, now: DateTime<Utc>) {
        self.state = state;
        self.changed = now;
    }
}
