//! Rows that are computed from (seed, ordinal) whenever they are read; nothing is stored.

use std::ops::Range;

use crate::database::Snapshot;
use crate::ids::{KeyPrefix, RecordId};
use crate::schema::{FieldIndex, Object};
use crate::value::{Cell, Timestamp};

/// The rows that references of generated rows may point to, by field.
#[derive(Debug)]
pub struct Targets;

impl Targets {
    pub(crate) fn of(_: &Snapshot, _: &Object) -> Self {
        Self
    }
}

/// Computes the rows of one object.
#[derive(Debug)]
pub struct Generator {
    prefix: KeyPrefix,
    ordinals: Range<u64>,
}

impl Generator {
    pub(crate) fn new(_: &Object, prefix: KeyPrefix, ordinals: Range<u64>, _: u64, _: Timestamp, _: Targets) -> Self {
        Self { prefix, ordinals }
    }

    pub(crate) fn end_ordinal(&self) -> u64 {
        self.ordinals.end
    }

    pub(crate) fn rows(&self) -> u64 {
        self.ordinals.end - self.ordinals.start
    }

    pub(crate) fn deleted_rows(&self) -> u64 {
        0
    }

    pub(crate) fn is_deleted(&self, _: u64) -> bool {
        false
    }

    /// The position of an id among the generated rows.
    pub(crate) fn rank(&self, id: RecordId) -> Option<u64> {
        let ordinal = id.ordinal().filter(|ordinal| id.prefix() == self.prefix && self.ordinals.contains(ordinal))?;
        Some(ordinal - self.ordinals.start)
    }

    /// The number of generated rows with a smaller id.
    pub(crate) fn rows_before(&self, id: RecordId) -> u64 {
        if id.prefix() == self.prefix
            && let Some(ordinal) = id.ordinal()
        {
            return ordinal.clamp(self.ordinals.start, self.ordinals.end) - self.ordinals.start;
        }
        if id < self.id(0) { 0 } else { self.rows() }
    }

    pub(crate) fn id(&self, rank: u64) -> RecordId {
        RecordId::new(self.prefix, self.ordinals.start + rank)
    }

    pub(crate) fn cell<'s>(&self, rank: u64, field: FieldIndex, scratch: &'s mut String) -> Cell<'s> {
        let _ = (field, scratch);
        Cell::Id(self.id(rank))
    }
}
