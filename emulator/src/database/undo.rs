//! Taking writes back: what rows were before somebody wrote them.

use std::collections::BTreeMap;

use super::Database;
use super::transaction::Staged;
use crate::ids::RecordId;

/// Rows as they were before some writes, cascades included. Ids that were given away stay given away.
#[derive(Debug, Default)]
pub struct Undo(BTreeMap<RecordId, Staged>);

impl Database {
    /// Writes, and says how to take it back.
    pub fn recording<T>(&mut self, write: impl FnOnce(&mut Self) -> T) -> (T, Undo) {
        let outer = self.undo.replace(Undo::default());
        let done = write(self);
        let undo = std::mem::replace(&mut self.undo, outer).unwrap_or_default();
        if let Some(outer) = &mut self.undo {
            for (id, before) in &undo.0 {
                outer.0.entry(*id).or_insert_with(|| before.clone());
            }
        }
        (done, undo)
    }

    /// Takes writes back. Of several, the latest goes first.
    pub fn take_back(&mut self, undo: Undo) {
        for (id, before) in undo.0 {
            self.note(id);
            self.apply_staged(id, before);
        }
    }

    /// Notes that a row is about to be written.
    pub(super) fn note(&mut self, id: RecordId) {
        if let Some(written) = &mut self.written {
            written.insert(id);
        }
        if self.undo.as_ref().is_some_and(|undo| !undo.0.contains_key(&id)) {
            let before = self.staged(id);
            self.undo.get_or_insert_default().0.insert(id, before);
        }
    }
}
