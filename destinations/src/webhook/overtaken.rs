//! What of a dead letter still holds when it is sent again.
//!
//! Later messages went past it. A row that one of them has told whole, or has told to be gone, is newer at the receiver than
//! what the letter says of it.

use std::collections::HashMap;

use rusqlite::{OptionalExtension as _, Transaction, params};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::sqlite::failure::Failure;

/// A letter without what was overtaken.
pub(super) struct Left {
    /// `None`: nothing is left.
    pub(super) body: Option<String>,
    pub(super) left_out: u64,
}

#[derive(Deserialize)]
struct Letter<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    connection: String,
    table: String,
    key: String,
    #[serde(borrow)]
    upserts: Vec<&'a RawValue>,
    #[serde(borrow)]
    patches: Vec<&'a RawValue>,
    #[serde(borrow)]
    deletes: Vec<&'a RawValue>,
}

/// Where the lists begin. A quotation mark inside a text is never without a backslash: the first is the one.
const LISTS: &str = ",\"upserts\":[";

/// The body of a letter with the entries that still hold.
pub(super) fn leave_out(file: &Transaction<'_>, sequence: i64) -> Result<Left, Failure> {
    let query = "SELECT body FROM messages WHERE sequence = ?1";
    let Some(body) = file.query_row(query, [sequence], |row| row.get::<_, String>(0)).optional()? else {
        return Ok(Left { body: None, left_out: 0 });
    };
    // Messages of other kinds hold no rows.
    let (Some((head, _)), Ok(Letter { data })) = (body.split_once(LISTS), serde_json::from_str::<Letter<'_>>(&body))
    else {
        return Ok(Left { body: Some(body), left_out: 0 });
    };
    let mut left_out = 0;
    let mut holding = |entries: &[&RawValue], name: &str, is_delete: bool| -> rusqlite::Result<String> {
        let mut held = Vec::new();
        for entry in entries {
            match holds(file, &data, &text_of(entry, name), is_delete, sequence)? {
                true => held.push(entry.get()),
                false => left_out += 1,
            }
        }
        Ok(held.join(","))
    };
    let upserts = holding(&data.upserts, &data.key, false)?;
    let patches = holding(&data.patches, &data.key, false)?;
    let deletes = holding(&data.deletes, "key", true)?;
    if upserts.is_empty() && patches.is_empty() && deletes.is_empty() {
        return Ok(Left { body: None, left_out });
    }
    let lists = format!(r#"{LISTS}{upserts}],"patches":[{patches}],"deletes":[{deletes}]"#);
    Ok(Left { body: Some(format!("{head}{lists}}}}}")), left_out })
}

/// Whether no later message has told the row whole, or told that it is gone.
fn holds(file: &Transaction<'_>, data: &Data<'_>, key: &str, is_delete: bool, sequence: i64) -> rusqlite::Result<bool> {
    let query = "SELECT sequence FROM rows WHERE \"table\" = ?1 AND connection = ?2 AND key = ?3";
    let told: Option<i64> = file
        .prepare_cached(query)?
        .query_row(params![data.table, data.connection, key], |row| row.get(0))
        .optional()?;
    Ok(told.map_or(is_delete, |told| told <= sequence))
}

/// A member of an entry that is a text.
fn text_of(entry: &RawValue, name: &str) -> String {
    let members: HashMap<String, &RawValue> = serde_json::from_str(entry.get()).unwrap_or_default();
    members.get(name).and_then(|value| serde_json::from_str(value.get()).ok()).unwrap_or_default()
}
