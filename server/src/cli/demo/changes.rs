//! A working day in the demonstration's org: inserts, updates and deletes of accounts and contacts.

use std::collections::BTreeMap;

use emulator::{
    Control,
    database::{Record, RowError},
    ids::RecordId,
    table::IdRange,
};
use serde_json::json;

/// What was done to one object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) inserted: u32,
    pub(super) updated: u32,
    pub(super) deleted: u32,
}

/// By object.
pub(super) type Changes = BTreeMap<&'static str, Change>;

const PLAN: [(&str, Change); 2] = [
    ("Account", Change { inserted: 40, updated: 150, deleted: 0 }),
    ("Contact", Change { inserted: 250, updated: 1_000, deleted: 75 }),
];

/// Does what the plan says, and counts it.
pub(super) fn change_org(control: &Control) -> Result<Changes, RowError> {
    PLAN.into_iter().map(|(object, plan)| change(control, object, plan).map(|done| (object, done))).collect()
}

fn change(control: &Control, object: &'static str, plan: Change) -> Result<Change, RowError> {
    let ids = some_ids(control, object, plan.updated + plan.deleted);
    let (updated, deleted) = ids.split_at(ids.len().min(plan.updated as usize));
    control.write(|database, author| {
        for number in 0..plan.inserted {
            database.insert(object, &fresh(object, number), author)?;
        }
        for id in updated {
            database.update(*id, &touched(object), author)?;
        }
        for id in deleted {
            database.delete(*id, author)?;
        }
        Ok(Change { inserted: plan.inserted, updated: updated.len() as u32, deleted: deleted.len() as u32 })
    })
}

/// Ids from all over the table.
fn some_ids(control: &Control, object: &str, wanted: u32) -> Vec<RecordId> {
    let data = control.snapshot();
    let Some((index, _)) = data.schema().find(object) else { return Vec::new() };
    let table = data.table(index);
    let step = (table.live_rows() / u64::from(wanted.max(1))).max(1);
    let rows = table.scan(IdRange::ALL).filter(|row| !row.is_deleted()).map(|row| row.id());
    rows.step_by(usize::try_from(step).unwrap_or(usize::MAX)).take(wanted as usize).collect()
}

fn fresh(object: &str, number: u32) -> Record {
    match object {
        "Account" => record(json!({ "Name": format!("Harbour Trading {number}"), "BillingCity": "Göteborg" })),
        _ => record(json!({
            "FirstName": "Noor",
            "LastName": format!("Al-Hashimi {number}"),
            "Email": format!("noor.{number}@harbour.example"),
        })),
    }
}

fn touched(object: &str) -> Record {
    match object {
        "Account" => record(json!({ "Description": "Renewed. \"Ask for Ada\", she said.\nCall on Monday ☎" })),
        _ => record(json!({ "Title": "Chief of Everything" })),
    }
}

fn record(value: serde_json::Value) -> Record {
    match value {
        serde_json::Value::Object(record) => record,
        _ => Record::new(),
    }
}
