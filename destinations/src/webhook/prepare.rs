//! A stream before its first batch: its epoch, its checkpoint, and what the receiver is told of its table.

use rusqlite::{Transaction, params};
use serde::{Deserialize, Serialize};
use sync::{
    Timestamp,
    checkpoint::{Checkpoint, Epoch},
    destination::DestinationError,
    table::{ColumnType, StreamKey, TableSchema},
};

use super::{
    ledger::number,
    message::{self, Kind},
    outbox,
    rows::Stream,
};
use crate::{
    lost::Lost,
    sqlite::{checkpoints, failure::Failure},
};

/// What a row in a table of the receiver's may be given beside the mapping's columns.
const OWN: [&str; 4] = ["_connection", "_deleted", "_stream", "_generation"];

/// The table as the receiver knows it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Shape {
    /// With those that the mapping named before.
    columns: Vec<(String, ColumnType)>,
    message: String,
}

/// Records the epoch, and announces the table where the receiver does not know it as it is now.
pub(super) fn prepare(
    file: &Transaction<'_>,
    place: &str,
    key: StreamKey,
    table: TableSchema,
    epoch: Epoch,
    now: Timestamp,
) -> Result<(Stream, Option<Checkpoint>), Failure> {
    check(place, &table)?;
    checkpoints::make_ready(file)?;
    checkpoints::refuse_other_writer(file, place, &key)?;
    let stored = checkpoints::claim(file, place, &key, epoch)?;
    let stream = Stream { number: number(file, &key)?, key, table };
    let lost = announce(file, &stream, now)?;
    let Some(text) = stored else { return Ok((stream, None)) };
    let checkpoint: Checkpoint = serde_json::from_str(&text).map_err(|error| {
        let reason = format!(
            "the checkpoint of {} for connection {} is not one this version can read ({error}); run the version that \
             wrote it, or name another ledger to send everything again",
            stream.key.object, stream.key.connection
        );
        DestinationError::Unusable { place: place.to_owned(), reason }
    })?;
    let Some(revised) = lost.revise(&checkpoint, stream.key.stream.is_some()) else {
        return Ok((stream, Some(checkpoint)));
    };
    let text = serde_json::to_string(&revised).expect("a checkpoint is plain data");
    checkpoints::save(file, &stream.key, &text)?;
    Ok((stream, Some(revised)))
}

/// Refuses what no receiver could tell apart, and what it cannot do.
fn check(place: &str, table: &TableSchema) -> Result<(), DestinationError> {
    let refuse = |reason: String| {
        Err(DestinationError::Incompatible { place: place.to_owned(), table: table.name.clone(), reason })
    };
    if table.matching.is_some() {
        return refuse("a webhook has no tables to match records with; leave `match` out of the mapping".to_owned());
    }
    if table.name.is_empty() {
        return refuse("it needs a name; choose one in the mapping".to_owned());
    }
    let mut taken: Vec<String> = OWN.map(str::to_owned).to_vec();
    for column in &table.columns {
        let (name, lower) = (&column.name, column.name.to_ascii_lowercase());
        if lower.is_empty() || taken.contains(&lower) {
            return refuse(format!("the column name {name:?} is taken (case does not count); choose another one"));
        }
        taken.push(lower);
    }
    Ok(())
}

/// Tells the receiver of the table, if that has changed; returns what it lacks although a checkpoint may say otherwise.
fn announce(file: &Transaction<'_>, stream: &Stream, now: Timestamp) -> Result<Lost, Failure> {
    let Stream { number, key, table } = stream;
    let heading = message::heading(key, Some(table), None);
    let announced = message::shape(table);
    let message = format!("{heading},{announced}");
    let known: Option<String> =
        file.query_row("SELECT shape FROM streams WHERE number = ?1", [number], |row| row.get(0))?;
    let known: Option<Shape> = known.and_then(|text| serde_json::from_str(&text).ok());
    let mut lost = Lost::default();
    let mut columns: Vec<(String, ColumnType)> = Vec::new();
    if let Some(known) = &known {
        if known.message == message {
            return Ok(lost);
        }
        let is_mapped = |(name, _): &&(String, ColumnType)| table.columns.iter().any(|column| column.name == *name);
        columns.extend(known.columns.iter().filter(|column| !is_mapped(column)).cloned());
        for (index, column) in table.columns.iter().enumerate() {
            match known.columns.iter().find(|(name, _)| *name == column.name) {
                Some((_, kind)) if *kind == column.kind => {}
                Some(_) => lost.retyped(table, index),
                None => {
                    lost.columns.push(column.name.clone());
                    lost.version |= table.version == Some(index);
                }
            }
        }
    }
    columns.extend(table.columns.iter().map(|column| (column.name.clone(), column.kind)));
    let shape = serde_json::to_string(&Shape { columns, message }).expect("a shape is plain data");
    file.execute("UPDATE streams SET shape = ?2 WHERE number = ?1", params![number, shape])?;
    outbox::add(file, *number, Kind::Table, now, |sequence| {
        message::body(Kind::Table, now, sequence, &heading, &announced)
    })?;
    Ok(lost)
}
