//! getUpdated and getDeleted: what changed in a span of time.

use super::{Database, Snapshot};
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
        let start = table.log_begins.map_or(start, |begins| begins.max(start));
        let logged = table.deletions.iter().map(|(id, burial)| Deletion { id: *id, at: burial.at });
        let mut found: Vec<Deletion> = logged.filter(|deletion| start <= deletion.at && deletion.at < end).collect();
        let unchanged = |row: &Row<'_>| row.is_deleted() && !table.overlay.contains_key(&row.id());
        if table.generator.is_some() {
            let rows = table.scan(IdRange::ALL).filter(unchanged).filter(|row| stamped_within(row, start, end));
            found.extend(rows.filter_map(|row| Some(Deletion { id: row.id(), at: row.stamp()? })));
        }
        found.sort_by_key(|deletion| (deletion.at, deletion.id));
        found
    }

    /// The time from which on the log knows all deletions; `None`: it was never cut off.
    #[must_use]
    pub fn delete_log_begins(&self, object: ObjectIndex) -> Option<Timestamp> {
        self.table(object).log_begins
    }
}

impl Database {
    /// Cuts off the delete log of an object: deletions before `until` are reported no more.
    ///
    /// Source: REST API guide, "Get a List of Deleted Records": a background process purges the log.
    pub fn trim_delete_log(&mut self, object: ObjectIndex, until: Timestamp) {
        let table = self.table_mut(object);
        table.deletions.retain(|id, burial| burial.at >= until || table.overlay.contains_key(id));
        table.log_begins = Some(until);
    }
}

fn stamped_within(row: &Row<'_>, start: Timestamp, end: Timestamp) -> bool {
    row.stamp().is_some_and(|stamp| (start..end).contains(&stamp))
}
