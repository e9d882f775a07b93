//! A batch: what was sent, how far it has come, and what became of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::wire::{Item, Items};
use crate::answer::Answer;
use crate::bulk::fate::Fate;
use crate::bulk::file::{Stored, file_answer};
use crate::call::Call;
use crate::ids::RecordId;

/// One batch.
pub(super) struct Batch {
    pub(super) id: RecordId,
    pub(super) job: RecordId,
    created: DateTime<Utc>,
    /// What was sent, unpacked.
    pub(super) request: Arc<Stored>,
    media: String,
    pub(super) origin: Origin,
    pub(super) fate: Fate,
    progress: Mutex<Progress>,
}

/// Where a batch comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Client,
    /// A part of a query that was split; the text that is understood here has the ids in quotes, the one that is shown has
    /// none.
    Chunk {
        query: String,
    },
}

#[derive(Clone, Debug)]
pub(super) enum State {
    Queued,
    InProgress,
    Completed(Results),
    /// Some rows may have been processed all the same (Bulk API guide v66, "Batch States").
    Failed {
        message: String,
        results: Option<Results>,
    },
    NotProcessed(Option<String>),
}

/// What a batch leaves behind.
#[derive(Clone, Debug)]
pub(super) enum Results {
    /// A result for each row, in the format of the job.
    Rows(Arc<Stored>),
    /// Files of records, each with an id of its own.
    Records(Vec<(RecordId, Arc<Stored>)>),
}

/// How a batch is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Queued,
    InProgress,
    Completed,
    Failed,
    NotProcessed,
}

impl State {
    /// A failure that leaves nothing behind.
    pub(super) fn failed(message: impl ToString) -> Self {
        Self::Failed { message: message.to_string(), results: None }
    }

    fn standing(&self) -> Standing {
        match self {
            Self::Queued => Standing::Queued,
            Self::InProgress => Standing::InProgress,
            Self::Completed(_) => Standing::Completed,
            Self::Failed { .. } => Standing::Failed,
            Self::NotProcessed(_) => Standing::NotProcessed,
        }
    }

    /// Source: Bulk API guide v66, "Batch States", and `BatchStateEnum` of its schema, which has no blank.
    fn name(&self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::InProgress => "InProgress",
            Self::Completed(_) => "Completed",
            Self::Failed { .. } => "Failed",
            Self::NotProcessed(_) => "NotProcessed",
        }
    }
}

struct Progress {
    state: State,
    changed: DateTime<Utc>,
    processed: u64,
    failed: u64,
    worked: Duration,
}

/// A batch in numbers.
pub(super) struct Sheet {
    pub(super) standing: Standing,
    pub(super) processed: u64,
    pub(super) failed: u64,
    pub(super) milliseconds: u64,
}

/// How many rows a batch has dealt with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) processed: u64,
    pub(super) failed: u64,
}

/// What a batch is made of.
pub(super) struct Sent {
    pub(super) request: Arc<Stored>,
    pub(super) media: String,
    pub(super) origin: Origin,
    pub(super) fate: Fate,
}

impl Batch {
    pub(super) fn new(id: RecordId, job: RecordId, created: DateTime<Utc>, sent: Sent) -> Self {
        let Sent { request, media, origin, fate } = sent;
        let progress =
            Progress { state: State::Queued, changed: created, processed: 0, failed: 0, worked: Duration::ZERO };
        Self { id, job, created, request, media, origin, fate, progress: Mutex::new(progress) }
    }

    pub(super) fn state(&self) -> State {
        self.progress().state.clone()
    }

    pub(super) fn standing(&self) -> Standing {
        self.progress().state.standing()
    }

    pub(super) fn is_over(&self) -> bool {
        !matches!(self.standing(), Standing::Queued | Standing::InProgress)
    }

    /// Whether a slow batch has been at work for long enough.
    pub(super) fn is_ripe(&self, now: DateTime<Utc>) -> bool {
        self.fate.is_ripe(now) && self.standing() == Standing::InProgress
    }

    /// Moves from the queue to work.
    pub(super) fn begin(&self, now: DateTime<Utc>) {
        let mut progress = self.progress();
        if progress.state.standing() == Standing::Queued {
            progress.turn_to(State::InProgress, now);
        }
    }

    /// Leaves a batch out that has not been worked on.
    pub(super) fn skip(&self, message: &str, now: DateTime<Utc>) {
        let mut progress = self.progress();
        if matches!(progress.state.standing(), Standing::Queued | Standing::InProgress) {
            progress.turn_to(State::NotProcessed(Some(message.to_owned())), now);
        }
    }

    /// Ends a batch that is at work.
    pub(super) fn end(&self, state: State, count: Count, worked: Duration, now: DateTime<Utc>) {
        let mut progress = self.progress();
        if progress.state.standing() == Standing::InProgress {
            (progress.processed, progress.failed, progress.worked) = (count.processed, count.failed, worked);
            progress.turn_to(state, now);
        }
    }

    pub(super) fn sheet(&self) -> Sheet {
        let progress = self.progress();
        Sheet {
            standing: progress.state.standing(),
            processed: progress.processed,
            failed: progress.failed,
            milliseconds: u64::try_from(progress.worked.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// A batch as its answers show it, in the order of the guide's XML.
    pub(super) fn items(&self) -> Items {
        let sheet = self.sheet();
        let progress = self.progress();
        let message = match &progress.state {
            State::Failed { message, .. } => Some(message.clone()),
            State::NotProcessed(message) => message.clone(),
            _ => None,
        };
        vec![
            ("id", Item::Text(self.id.to_string().into())),
            ("jobId", Item::Text(self.job.to_string().into())),
            ("state", Item::Text(progress.state.name().into())),
            ("stateMessage", Item::Optional(message)),
            ("createdDate", Item::Time(self.created)),
            ("systemModstamp", Item::Time(progress.changed)),
            ("numberRecordsProcessed", Item::Number(sheet.processed)),
            ("numberRecordsFailed", Item::Number(sheet.failed)),
            ("totalProcessingTime", Item::Number(sheet.milliseconds)),
            ("apiActiveProcessingTime", Item::Number(sheet.milliseconds)),
            ("apexProcessingTime", Item::Number(0)),
        ]
    }

    /// `GET …/request`: what was sent, as it was sent.
    pub(super) fn request_answer(&self, call: &Call) -> Answer {
        let file = Arc::clone(&self.request);
        let length = file.length();
        file_answer(call, &self.media, bytes::Bytes::new(), file, 0..length)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn turn_to(&mut self, state: State, now: DateTime<Utc>) {
        (self.state, self.changed) = (state, now);
    }
}
