//! getUpdated and getDeleted: what changed in a span of time.

use super::Snapshot;
use crate::ids::RecordId;
use crate::schema::ObjectIndex;
use crate::table::{Deletion, IdRange, Row};
use crate::value::Timestamp;

impl Snapshot {
    /// The rows outside the recycle bin whose stamp is at or after `start` and before `end`, in id order.
    ///
    /// Source: REST API guide, "Get a list of updated records": compares `SystemModstamp`, else `LastModifiedDate`.
    #[must_use]
    pub fn updated(&self, object: ObjectIndex, start: Timestamp, end: Timestamp) -> Vec<RecordId> {
        let live = self.table(object).scan(IdRange::ALL).filter(|row| !row.is_deleted());
        live.filter(|row| stamped_within(row, start, end)).map(|row| row.id()).collect()
    }

    /// The deletions at or after `start` and before `end` by time, rows that are gone for good included.
    #[must_use]
    pub fn deleted(&self, object: ObjectIndex, start: Timestamp, end: Timestamp) -> Vec<Deletion> {
        let table = self.table(object);
        let mut found: Vec<Deletion> =
            table.deletions.iter().filter(|deletion| (start..end).contains(&deletion.at)).copied().collect();
        let unchanged = |row: &Row<'_>| row.is_deleted() && !table.overlay.contains_key(&row.id());
        if table.generator.is_some() {
            let rows = table.scan(IdRange::ALL).filter(unchanged).filter(|row| stamped_within(row, start, end));
            found.extend(rows.filter_map(|row| Some(Deletion { id: row.id(), at: row.stamp()? })));
        }
        found.sort_by_key(|deletion| (deletion.at, deletion.id));
        found
    }

    /// The time of the oldest deletion that the log knows.
    #[must_use]
    pub fn oldest_deletion(&self, object: ObjectIndex) -> Option<Timestamp> {
        self.table(object).deletions.iter().map(|deletion| deletion.at).min()
    }
}

fn stamped_within(row: &Row<'_>, start: Timestamp, end: Timestamp) -> bool {
    row.stamp().is_some_and(|stamp| (start..end).contains(&stamp))
}
