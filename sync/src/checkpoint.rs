//! Where to go on, and of which question.

use std::{collections::BTreeMap, time::Duration};

use salesforce::{
    ApiVersion, Timestamp,
    bulk::{JobId, Locator},
};
use serde::{Deserialize, Serialize};

/// Counts up with each lease of a stream; a destination refuses writes of an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub i64);

/// What a run covers: records stamped after `from`, as they were at `until` or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// `None`: everything there is.
    pub from: Option<Timestamp>,
    /// By the org's clock, a moment before the first page was read. No condition of the query: a record that changes
    /// while pages are read stays among them.
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
    /// Reading the children of one parent after the other, in the order of the parents' Ids: all up to this one's.
    Slice { parent: String },
    /// Reading a Bulk job: all pages before this one (`None`: the first). The locator counts for pages of so many records
    /// (`None`: as many as Salesforce likes).
    Bulk {
        job: JobId,
        locator: Option<Locator>,
        #[serde(default)]
        page_rows: Option<u32>,
    },
    /// The whole window is there.
    Complete,
}

/// What was asked of the org, by what has to be read anew when it changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// A hash of whatever concerns every row: object, filter, limit, key. Another one: everything is read anew.
    pub scope: String,
    /// How each column is made, as a hash by the column's name. A column that is new or made otherwise is read alone.
    pub columns: BTreeMap<String, String>,
}

/// Columns that are being filled in rows that are there already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// Names of columns.
    pub columns: Vec<String>,
    pub at: Position,
    /// By the org's clock, a moment before the first record was read for it.
    #[serde(default)]
    pub began: Option<Timestamp>,
}

/// A sweep by Ids that is under way: rows whose records are gone are looked for range by range, in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdSweep {
    /// Every row up to this key has been held against the org; `None`: none has.
    pub after: Option<String>,
    /// What has come of it so far.
    pub found: Swept,
}

/// What came of holding all rows against the Ids that the org has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// By the org's clock, a moment before the first Id was read: a row whose record was gone then is none any more.
    pub as_of: Timestamp,
    /// Rows that were held against the org's Ids.
    pub rows: u64,
    /// Rows that were deleted, because their record was gone though nobody had said so.
    pub gone: u64,
    /// Rows that were written, because their record had none.
    pub missing: u64,
    /// Rows without a record, and records without a row, that were left as they are: too many of one range.
    pub left: u64,
}

impl Swept {
    pub(crate) fn beginning(as_of: Timestamp) -> Self {
        Self { as_of, rows: 0, gone: 0, missing: 0, left: 0 }
    }
}

/// A place to go on from, with its whole question: a checkpoint that answers another question is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub window: Window,
    /// Deleted records are read as well, while the org's recycle bin has them. False in a first reading: a table
    /// without rows has none to flag or remove.
    pub with_deleted: bool,
    #[serde(default)]
    pub asked: Asked,
    pub api: ApiVersion,
    pub at: Position,
    /// This reading covers everything there is; rows that it does not name are gone when it completes. The number marks
    /// the rows that it has named, and is another one for each such reading.
    #[serde(default)]
    pub sweep: Option<i64>,
    /// Whatever is stamped up to here is committed in the org, and read.
    #[serde(default)]
    pub settled: Option<Timestamp>,
    #[serde(default)]
    pub backfill: Option<Backfill>,
    /// Of columns whose values change without moving the record's stamp: in every row they are as they were in the org at this
    /// moment, or later.
    #[serde(default)]
    pub refreshed: BTreeMap<String, Timestamp>,
    #[serde(default)]
    pub id_sweep: Option<Box<IdSweep>>,
    /// The last sweep that came to its end, or the last reading of everything.
    #[serde(default)]
    pub swept: Option<Swept>,
}

impl Checkpoint {
    /// A place in a reading of living records that sweeps nothing and fills no column.
    pub fn new(window: Window, asked: Asked, api: ApiVersion, at: Position) -> Self {
        Self {
            window,
            with_deleted: false,
            asked,
            api,
            at,
            sweep: None,
            settled: None,
            backfill: None,
            refreshed: BTreeMap::new(),
            id_sweep: None,
            swept: None,
        }
    }

    /// Whatever is stamped up to here is in a copy that is complete; `overlap` as in
    /// [`RunOptions`](crate::run::RunOptions).
    pub(crate) fn as_of(&self, overlap: Duration) -> Timestamp {
        let overlap = i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX);
        let assumed = Timestamp(self.window.until.0.saturating_sub(overlap));
        self.settled.map_or(assumed, |settled| settled.max(assumed))
    }
}
