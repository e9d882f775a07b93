//! Walking a table in id order: generated rows and the overlay merged on the fly.

use std::collections::btree_map;
use std::ops::Bound;

use super::{Change, Row, RowBody, Table};
use crate::ids::RecordId;

/// Ids from `from` to `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    pub from: Bound<RecordId>,
    pub to: Bound<RecordId>,
}

impl IdRange {
    pub const ALL: Self = Self { from: Bound::Unbounded, to: Bound::Unbounded };

    /// The ids behind `id`.
    #[must_use]
    pub fn after(self, id: RecordId) -> Self {
        Self { from: Bound::Excluded(id), ..self }
    }

    fn is_empty(&self) -> bool {
        match (self.from, self.to) {
            (Bound::Included(a), Bound::Included(b)) => a > b,
            (Bound::Included(a) | Bound::Excluded(a), Bound::Excluded(b))
            | (Bound::Excluded(a), Bound::Included(b)) => a >= b,
            _ => false,
        }
    }
}

/// The rows of a table in id order.
#[derive(Debug)]
pub struct Scan<'a> {
    table: &'a Table,
    /// Ranks of generated rows that are still to come.
    next_rank: u64,
    end_rank: u64,
    overlay: btree_map::Range<'a, RecordId, Change>,
    /// The next change, and the number of generated rows before its id.
    peeked: Option<(RecordId, &'a Change, u64)>,
}

impl<'a> Scan<'a> {
    pub(super) fn new(table: &'a Table, range: IdRange) -> Self {
        let range = if range.is_empty() {
            let nowhere = RecordId::new(table.prefix(), 0);
            IdRange { from: Bound::Included(nowhere), to: Bound::Excluded(nowhere) }
        } else {
            range
        };
        let generator = table.generator.as_deref();
        let rank = |id: RecordId| generator.map_or(0, |generator| generator.rows_before(id));
        let is_generated = |id: RecordId| generator.is_some_and(|generator| generator.rank(id).is_some());
        let next_rank = match range.from {
            Bound::Unbounded => 0,
            Bound::Included(id) => rank(id),
            Bound::Excluded(id) => rank(id) + u64::from(is_generated(id)),
        };
        let end_rank = match range.to {
            Bound::Unbounded => generator.map_or(0, |generator| generator.rows()),
            Bound::Excluded(id) => rank(id),
            Bound::Included(id) => rank(id) + u64::from(is_generated(id)),
        };
        let overlay = table.overlay.range((range.from, range.to));
        let mut scan = Self { table, next_rank, end_rank, overlay, peeked: None };
        scan.peek();
        scan
    }

    fn peek(&mut self) {
        let generator = self.table.generator.as_deref();
        let rank = |id| generator.map_or(0, |generator| generator.rows_before(id));
        self.peeked = self.overlay.next().map(|(id, change)| (*id, change, rank(*id)));
    }

    fn next_generated(&mut self) -> Option<Row<'a>> {
        if self.next_rank >= self.end_rank {
            return None;
        }
        let rank = self.next_rank;
        self.next_rank += 1;
        let id = self.table.generator.as_deref()?.id(rank);
        Some(Row { table: self.table, id, body: RowBody::Generated(rank) })
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        loop {
            let (id, change, rank) = match self.peeked {
                Some(peeked) if peeked.2 <= self.next_rank || self.next_rank >= self.end_rank => peeked,
                _ => return self.next_generated(),
            };
            let hides = self.table.generator.as_deref().is_some_and(|generator| generator.rank(id) == Some(rank));
            if hides {
                self.next_rank = rank + 1;
            }
            self.peek();
            if let Change::Row(row) = change {
                return Some(Row { table: self.table, id, body: RowBody::Stored(row) });
            }
        }
    }
}
