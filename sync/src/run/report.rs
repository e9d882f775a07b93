//! What a run did, and why it could not.

use std::time::Duration;

use salesforce::{ApiError, Recovery, Timestamp};

use crate::{
    checkpoint::{Swept, Window},
    destination::{DestinationError, Written},
    read::{ReadError, ReadMode},
};

/// What a run has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that the org sent, those among them that had come before.
    pub read: u64,
    /// Records written, whether or not they changed anything.
    pub rows: u64,
    pub deletes: u64,
    /// Rows deleted because a whole reading did not name them any more.
    pub swept: u64,
    /// Records that stand for a row of the table that is matched with; for none; for several.
    pub matched: u64,
    pub unmatched: u64,
    pub ambiguous: u64,
    /// Records of which only some columns were written, into the rows that have them.
    pub patched: u64,
    /// Records that became no row.
    pub rejected: u64,
    pub misfits: u64,
    /// Bytes of record data received, after inflating.
    pub wire_bytes: u64,
    /// API calls of this run that count against the org's quota.
    pub api_calls: u64,
    pub stages: Stages,
}

impl Counts {
    pub(super) fn add(&mut self, Written { swept, matched, unmatched, ambiguous }: Written) {
        self.swept += swept;
        self.matched += matched;
        self.unmatched += unmatched;
        self.ambiguous += ambiguous;
    }
}

/// Where a run's time went, by the client's timer. Reading and writing go on at the same time, so the sum is more than
/// the run took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stages {
    /// For Bulk jobs to be done.
    pub waiting: Duration,
    /// Asking, receiving and decoding.
    pub reading: Duration,
    pub mapping: Duration,
    pub writing: Duration,
}

/// How a run ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The window is there, whole.
    Complete,
    /// Stopped when asked to; the next run goes on from here.
    Stopped,
    /// Ended because others wait, further than where it began; the next run goes on from here.
    GaveWay,
}

/// What is known of records that are deleted for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletions {
    /// All of them up to this moment.
    Known { until: Timestamp },
    /// It was not time to ask, or everything was read.
    NotAsked,
    /// The org does not say; rows of such records stay until everything is read again.
    Unknown { reason: String },
}

/// What a run did.
#[derive(Debug, Clone)]
pub struct Report {
    pub outcome: Outcome,
    pub window: Window,
    /// `None`: the run stopped before anything was read.
    pub mode: Option<ReadMode>,
    /// The run went on where an earlier one had stopped.
    pub resumed: bool,
    pub deletions: Deletions,
    /// What holding the rows against the org's Ids has come to in this run and the runs before it, where this one did any of
    /// it.
    pub swept: Option<IdSweepReport>,
    pub counts: Counts,
}

/// A sweep by Ids, at the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdSweepReport {
    pub found: Swept,
    /// Every row was held against the org.
    pub is_whole: bool,
}

impl Report {
    pub(super) fn new() -> Self {
        Self {
            outcome: Outcome::Stopped,
            window: Window { from: None, until: Timestamp(0) },
            mode: None,
            resumed: false,
            deletions: Deletions::NotAsked,
            swept: None,
            counts: Counts::default(),
        }
    }
}

/// Progress could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("the control store did not take the run's progress: {reason}")]
pub struct ProgressError {
    pub reason: String,
}

/// Why a run failed. What it had written stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Read(ReadError),
    /// A field or the object is not what describe said: describe it again, compile the mapping, and run again.
    #[error("{object} is not as it was described: {source}")]
    Outdated { object: String, source: ReadError },
    #[error(transparent)]
    Destination(#[from] DestinationError),
    #[error(transparent)]
    Progress(#[from] ProgressError),
}

impl RunError {
    pub(crate) fn read(object: &str, error: ReadError) -> Self {
        match error.is_about_schema() {
            true => Self::Outdated { object: object.to_owned(), source: error },
            false => Self::Read(error),
        }
    }

    /// What cures it.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Api(error) => error.recovery(),
            Self::Read(error) | Self::Outdated { source: error, .. } => error.recovery(),
            Self::Destination(error) => error.recovery(),
            Self::Progress(_) => Recovery::Retry { after: None },
        }
    }
}
