//! Where to go on, and of which question.

use salesforce::{
    ApiVersion, Timestamp,
    bulk::{JobId, Locator},
};
use serde::{Deserialize, Serialize};

/// Counts up with each lease of a stream; a destination refuses writes of an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub i64);

/// The stamps a run covers: `(from, until]`, both fixed before the first page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// `None`: everything there is.
    pub from: Option<Timestamp>,
    pub until: Timestamp,
}

/// How far a run has come; everything before is durable in the destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Position {
    /// Nothing is written yet.
    Start,
    /// Reading by query in the order of Id: all records up to this one.
    Query { last_id: String },
    /// Reading a Bulk job: all pages before this one (`None`: the first).
    Bulk { job: JobId, locator: Option<Locator> },
    /// The whole window is there.
    Complete,
}

/// A place to go on from, with its whole question: a checkpoint that answers another question is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub window: Window,
    /// Deleted records are read as well, while the org's recycle bin has them. False in a first reading: a table
    /// without rows has none to flag or remove.
    pub with_deleted: bool,
    /// Hash of the question: object, fields, filter, limit.
    pub query: String,
    pub api: ApiVersion,
    pub at: Position,
}
