//! A job of Bulk API 1.0: what its batches have in common.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::batch::{Batch, Standing};
use super::chunking::Chunking;
use super::wire::{Item, Items};
use crate::bulk::fate::Fate;
use crate::bulk::load::{Operation as Write, Target};
use crate::bulk::query::Operation as Read;
use crate::bulk::registry::Kept;
use crate::bulk::rest_time;
use crate::ids::RecordId;
use crate::scenario::UserAccess;

/// A job may stay open for a day (Bulk API guide v66, limits). That it ends as `Aborted` is inferred.
const LONGEST_OPEN: TimeDelta = TimeDelta::hours(24);

/// The format of batches and of their results.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(super) enum Content {
    #[serde(rename = "CSV")]
    Csv,
    #[default]
    #[serde(rename = "XML")]
    Xml,
    #[serde(rename = "JSON")]
    Json,
}

impl Content {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Xml => "XML",
            Self::Json => "JSON",
        }
    }

    pub(super) fn media(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Xml => super::wire::XML,
            Self::Json => super::wire::JSON,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(super) enum Concurrency {
    #[default]
    Parallel,
    /// One batch after the other.
    Serial,
}

impl Concurrency {
    fn name(self) -> &'static str {
        match self {
            Self::Parallel => "Parallel",
            Self::Serial => "Serial",
        }
    }
}

/// What the batches of a job are for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    Load(Target),
    Select { operation: Read, object: String, user: RecordId, access: UserAccess, chunking: Option<Chunking> },
}

/// What a job is made of.
pub(super) struct Order {
    pub(super) purpose: Purpose,
    pub(super) content: Content,
    pub(super) concurrency: Concurrency,
    pub(super) assignment_rule: Option<String>,
    pub(super) version: u16,
    pub(super) fate: Fate,
}

/// One job.
pub(in crate::bulk) struct Job {
    pub(in crate::bulk) id: RecordId,
    created: DateTime<Utc>,
    pub(super) order: Order,
    stopped: AtomicBool,
    progress: Mutex<Progress>,
    /// Held by whoever runs the batches of a serial job.
    pub(super) turn: Mutex<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    Closed,
    Aborted,
    Failed,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Closed => "Closed",
            Self::Aborted => "Aborted",
            Self::Failed => "Failed",
        }
    }
}

struct Progress {
    state: State,
    changed: DateTime<Utc>,
    batches: Vec<Arc<Batch>>,
}

/// A job in the list of Bulk API 2.0.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::bulk) struct Entry {
    id: String,
    operation: &'static str,
    object: String,
    created_by_id: String,
    created_date: String,
    system_modstamp: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id_field_name: Option<String>,
    concurrency_mode: &'static str,
    content_type: &'static str,
    api_version: f64,
    job_type: &'static str,
}

impl Kept for Job {
    fn id(&self) -> RecordId {
        self.id
    }

    fn created_by(&self) -> RecordId {
        self.user()
    }

    fn created(&self) -> DateTime<Utc> {
        self.created
    }
}

impl Purpose {
    fn operation(&self) -> &'static str {
        match self {
            Self::Load(target) => match target.operation {
                Write::Insert => "insert",
                Write::Update => "update",
                Write::Upsert => "upsert",
                Write::Delete => "delete",
                Write::HardDelete => "hardDelete",
            },
            Self::Select { operation: Read::Query, .. } => "query",
            Self::Select { operation: Read::QueryAll, .. } => "queryAll",
        }
    }

    pub(super) fn object(&self) -> &str {
        match self {
            Self::Load(target) => &target.object,
            Self::Select { object, .. } => object,
        }
    }

    fn key(&self) -> Option<String> {
        match self {
            Self::Load(target) => target.key.clone(),
            Self::Select { .. } => None,
        }
    }
}

impl Job {
    pub(super) fn new(id: RecordId, created: DateTime<Utc>, order: Order) -> Self {
        let progress = Progress { state: State::Open, changed: created, batches: Vec::new() };
        let stopped = AtomicBool::new(false);
        Self { id, created, order, stopped, progress: Mutex::new(progress), turn: Mutex::default() }
    }

    pub(super) fn user(&self) -> RecordId {
        match &self.order.purpose {
            Purpose::Load(target) => target.user,
            Purpose::Select { user, .. } => *user,
        }
    }

    pub(super) fn content(&self) -> Content {
        self.order.content
    }

    pub(in crate::bulk) fn concurrency(&self) -> &'static str {
        self.order.concurrency.name()
    }

    pub(in crate::bulk) fn is_chunked(&self) -> bool {
        matches!(self.order.purpose, Purpose::Select { chunking: Some(_), .. })
    }

    pub(super) fn state(&self) -> State {
        self.progress().state
    }

    pub(super) fn batches(&self) -> Vec<Arc<Batch>> {
        self.progress().batches.clone()
    }

    pub(super) fn batch(&self, id: &str) -> Option<Arc<Batch>> {
        let id = RecordId::parse(id).ok()?;
        self.progress().batches.iter().find(|batch| batch.id == id).cloned()
    }

    pub(super) fn add(&self, batch: Arc<Batch>) {
        self.progress().batches.push(batch);
    }

    /// Keeps batches from being worked on.
    pub(in crate::bulk) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Ends a job that has been left open for too long.
    pub(super) fn expire(&self, now: DateTime<Utc>) {
        if now - self.created >= LONGEST_OPEN && self.state() == State::Open {
            self.abort(now);
        }
    }

    /// Takes no more batches; whether the job was open.
    pub(super) fn close(&self, now: DateTime<Utc>) -> bool {
        self.leave_open(State::Closed, now)
    }

    /// Batches that wait are not processed any more; one that is at work comes to its end.
    pub(super) fn abort(&self, now: DateTime<Utc>) {
        self.give_up(State::Aborted, "Job aborted", now);
    }

    /// Fails the job with every batch that waits.
    pub(super) fn fail(&self, message: &str, now: DateTime<Utc>) {
        self.give_up(State::Failed, message, now);
    }

    fn give_up(&self, state: State, message: &str, now: DateTime<Utc>) {
        let mut progress = self.progress();
        if matches!(progress.state, State::Open | State::Closed) {
            (progress.state, progress.changed) = (state, now);
        }
        for batch in &progress.batches {
            batch.skip(message, now);
        }
    }

    fn leave_open(&self, state: State, now: DateTime<Utc>) -> bool {
        let mut progress = self.progress();
        let was_open = progress.state == State::Open;
        if was_open {
            (progress.state, progress.changed) = (state, now);
        }
        was_open
    }

    /// A job as its answers show it, in the order of the guide's XML.
    pub(super) fn items(&self) -> Items {
        let progress = self.progress();
        let Order { purpose, content, concurrency, assignment_rule, version, .. } = &self.order;
        let text = |text: &str| Item::Text(text.to_owned().into());
        let sheets: Vec<_> = progress.batches.iter().map(|batch| batch.sheet()).collect();
        let count = |standing| Item::Number(sheets.iter().filter(|sheet| sheet.standing == standing).count() as u64);
        let processed = sheets.iter().map(|sheet| sheet.processed).sum();
        let failed = sheets.iter().map(|sheet| sheet.failed).sum();
        let worked = sheets.iter().map(|sheet| sheet.milliseconds).sum();
        vec![
            ("id", text(&self.id.to_string())),
            ("operation", text(purpose.operation())),
            ("object", text(purpose.object())),
            ("createdById", text(&self.user().to_string())),
            ("createdDate", Item::Time(self.created)),
            ("systemModstamp", Item::Time(progress.changed)),
            ("state", text(progress.state.name())),
            ("externalIdFieldName", Item::Optional(purpose.key())),
            ("concurrencyMode", text(concurrency.name())),
            ("contentType", text(content.name())),
            ("numberBatchesQueued", count(Standing::Queued)),
            ("numberBatchesInProgress", count(Standing::InProgress)),
            ("numberBatchesCompleted", count(Standing::Completed)),
            ("numberBatchesFailed", count(Standing::Failed)),
            ("numberBatchesTotal", Item::Number(sheets.len() as u64)),
            ("numberRecordsProcessed", Item::Number(processed)),
            ("numberRetries", Item::Number(0)),
            ("apiVersion", Item::Version(*version)),
            ("assignmentRuleId", Item::Optional(assignment_rule.clone())),
            ("numberRecordsFailed", Item::Number(failed)),
            ("totalProcessingTime", Item::Number(worked)),
            ("apiActiveProcessingTime", Item::Number(worked)),
            ("apexProcessingTime", Item::Number(0)),
            ("fastPathEnabled", Item::Flag(false)),
        ]
    }

    pub(in crate::bulk) fn entry(&self) -> Entry {
        let progress = self.progress();
        let Order { purpose, content, version, .. } = &self.order;
        Entry {
            id: self.id.to_string(),
            operation: purpose.operation(),
            object: purpose.object().to_owned(),
            created_by_id: self.user().to_string(),
            created_date: rest_time(self.created),
            system_modstamp: rest_time(progress.changed),
            state: progress.state.name(),
            external_id_field_name: purpose.key(),
            concurrency_mode: self.concurrency(),
            content_type: content.name(),
            api_version: f64::from(*version),
            job_type: "Classic",
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
