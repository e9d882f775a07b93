//! Semi-joins and anti-joins: `Id IN (SELECT AccountId FROM Contact …)`.

use std::collections::HashSet;

use super::Plan;
use super::path::BoundPath;
use super::results::Matches;
use crate::database::Snapshot;
use crate::ids::RecordId;
use crate::value::Cell;

/// The inner query and the one field that it selects.
#[derive(Debug)]
pub(super) struct Join {
    pub plan: Plan,
    pub field: BoundPath,
}

impl Join {
    /// The ids that the inner query finds. Nulls are left out: an id is never among them.
    pub(super) fn ids(&self, snapshot: &Snapshot) -> HashSet<RecordId> {
        let mut scratch = String::new();
        let mut ids = HashSet::new();
        for row in Matches::new(&self.plan, snapshot, None) {
            if let Cell::Id(id) = self.field.read(&row, snapshot, &mut scratch) {
                ids.insert(id);
            }
        }
        ids
    }
}
