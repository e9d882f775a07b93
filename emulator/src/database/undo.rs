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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog;
    use crate::database::{Author, Record};
    use crate::ids::KeyPrefix;
    use crate::schema::FullAccess;
    use crate::value::Timestamp;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn author() -> Author<'static> {
        let user = RecordId::new(KeyPrefix::parse("005").unwrap(), 1);
        Author { user, at: NOW, access: &FullAccess }
    }

    fn record(value: serde_json::Value) -> Record {
        value.as_object().unwrap().clone()
    }

    /// An org with generated accounts, and contacts that hang on them.
    fn org() -> Database {
        let mut database = Database::new(catalog::standard(), 7);
        for object in ["User", "Account", "Contact"] {
            database.generate(object, 20, NOW).unwrap();
        }
        database
    }

    fn everything(database: &Database) -> String {
        let rows = |object: &str| (database.current().live_records(object), database.current().binned_records(object));
        format!("{:?}", ["Account", "Contact"].map(rows))
    }

    fn first(database: &Database, object: &str) -> RecordId {
        let (index, _) = database.schema().find(object).unwrap();
        let rows = database.current().table(index).scan(crate::table::IdRange::ALL);
        rows.filter(|row| !row.is_deleted()).map(|row| row.id()).next().unwrap()
    }

    #[test]
    fn inserts_updates_and_deletes_with_their_cascades_are_taken_back() {
        let mut database = org();
        let (account, by) = (first(&database, "Account"), author());
        let child = record(json!({"LastName": "Child", "AccountId": account.to_string()}));
        database.insert("Contact", &child, &by).unwrap();
        let (before, (index, _)) = (everything(&database), database.schema().find("Account").unwrap());
        let counts = |database: &Database| {
            let table = database.current().table(index);
            (table.live_rows(), table.binned_rows(), table.deletions.len())
        };
        let counted = counts(&database);
        let ((), undo) = database.recording(|database| {
            database.insert("Account", &record(json!({"Name": "New"})), &by).unwrap();
            database.update(account, &record(json!({"Name": "Changed"})), &by).unwrap();
            database.delete(account, &by).unwrap();
            database.purge(account, by.at).unwrap();
        });
        assert_ne!(everything(&database), before);
        database.take_back(undo);
        assert_eq!((everything(&database), counts(&database)), (before, counted));
    }

    #[test]
    fn what_is_recorded_within_a_recording_belongs_to_both() {
        let mut database = org();
        let (account, by, before) = (first(&database, "Account"), author(), everything(&database));
        let name = |name: &str| record(json!({"Name": name}));
        let (middle, outer) = database.recording(|database| {
            let ((), inner) = database.recording(|database| database.update(account, &name("One"), &by).unwrap());
            let middle = everything(database);
            database.update(account, &name("Two"), &by).unwrap();
            database.take_back(inner);
            assert_eq!(everything(database), before);
            middle
        });
        assert_ne!(middle, before);
        database.take_back(outer);
        assert_eq!(everything(&database), before);
    }
}
