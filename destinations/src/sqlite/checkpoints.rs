//! Each stream's epoch and checkpoint, in the file that holds its rows.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sync::{
    checkpoint::{Checkpoint, Epoch},
    destination::DestinationError,
    table::StreamKey,
};

use super::failure::Failure;
use crate::{lost::Lost, other_writer};

pub(crate) const CHECKPOINTS: &str = "_orgtide_checkpoints";

/// `stream` is empty for a stream without a name.
const CREATE: &str = "CREATE TABLE IF NOT EXISTS _orgtide_checkpoints (
    connection TEXT NOT NULL,
    object TEXT NOT NULL,
    \"table\" TEXT NOT NULL,
    stream TEXT NOT NULL DEFAULT '',
    org TEXT NOT NULL DEFAULT '',
    installation TEXT NOT NULL DEFAULT '',
    epoch INTEGER NOT NULL,
    checkpoint TEXT,
    PRIMARY KEY (connection, object, \"table\", stream)
)";

/// Who writes: a file of an older version does not know.
const WRITER: [&str; 2] = ["org", "installation"];

const OF_STREAM: &str = "connection = ?1 AND object = ?2 AND \"table\" = ?3 AND stream = ?4";

/// Creates the table of checkpoints, or gives one that knows neither names of streams nor who writes them those columns.
pub(crate) fn make_ready(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    if has_table(transaction)? && !has_column(transaction, "stream")? {
        transaction.execute_batch(&format!("ALTER TABLE {CHECKPOINTS} RENAME TO _orgtide_unnamed; {CREATE};"))?;
        transaction.execute_batch(
            "INSERT INTO _orgtide_checkpoints (connection, object, \"table\", epoch, checkpoint)
             SELECT connection, object, \"table\", epoch, checkpoint FROM _orgtide_unnamed;
             DROP TABLE _orgtide_unnamed",
        )?;
    }
    transaction.execute_batch(CREATE)?;
    for column in WRITER {
        if !has_column(transaction, column)? {
            let add = format!("ALTER TABLE {CHECKPOINTS} ADD COLUMN {column} TEXT NOT NULL DEFAULT ''");
            transaction.execute_batch(&add)?;
        }
    }
    Ok(())
}

pub(crate) fn has_table(connection: &Connection) -> rusqlite::Result<bool> {
    let query = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    connection.query_row(query, [CHECKPOINTS], |row| row.get(0))
}

/// True when the file has checkpoints that say who writes.
pub(crate) fn know_writers(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(has_table(connection)? && has_column(connection, WRITER[0])? && has_column(connection, WRITER[1])?)
}

fn has_column(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    let query = "SELECT count(*) FROM pragma_table_info(?1) WHERE name = ?2";
    connection.query_row(query, [CHECKPOINTS, name], |row| row.get(0))
}

/// Refuses a stream whose rows would take the place of another org's, or of those that another installation writes.
pub(crate) fn refuse_other_writer(transaction: &Transaction<'_>, place: &str, key: &StreamKey) -> Result<(), Failure> {
    match other_writer_of(transaction, key)? {
        Some((org, installation)) => Err(DestinationError::Incompatible {
            place: place.to_owned(),
            table: key.table.clone(),
            reason: other_writer(key, &org, &installation),
        }
        .into()),
        None => Ok(()),
    }
}

/// The org and the installation that write the table under the connection's name, unless these are the stream's.
pub(crate) fn other_writer_of(file: &Connection, key: &StreamKey) -> rusqlite::Result<Option<(String, String)>> {
    let query = format!(
        "SELECT org, installation FROM {CHECKPOINTS} WHERE connection = ?1 AND \"table\" = ?2 \
         AND (org NOT IN ('', ?3) OR installation NOT IN ('', ?4)) LIMIT 1"
    );
    let ours = [&key.connection, &key.table, &key.org, &key.installation];
    file.query_row(&query, ours, |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// Records the epoch and returns the stored checkpoint, unless a newer epoch holds the stream.
pub(crate) fn claim(
    transaction: &Transaction<'_>,
    place: &str,
    key: &StreamKey,
    epoch: Epoch,
) -> Result<Option<String>, Failure> {
    let StreamKey { connection, object, table, stream, org, installation } = key;
    let stream = stream.as_deref().unwrap_or_default();
    let find = format!("SELECT epoch, checkpoint FROM {CHECKPOINTS} WHERE {OF_STREAM}");
    let stored: Option<(i64, Option<String>)> = transaction
        .prepare_cached(&find)?
        .query_row(params![connection, object, table, stream], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (current, checkpoint) = stored.unwrap_or((i64::MIN, None));
    if current > epoch.0 {
        return Err(DestinationError::Fenced { place: place.to_owned(), ours: epoch.0, current }.into());
    }
    if current < epoch.0 {
        let record =
            "INSERT INTO _orgtide_checkpoints (connection, object, \"table\", stream, epoch, org, installation)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                      ON CONFLICT DO UPDATE SET epoch = excluded.epoch, org = excluded.org,
                          installation = excluded.installation";
        let values = params![connection, object, table, stream, epoch.0, org, installation];
        transaction.prepare_cached(record)?.execute(values)?;
    }
    Ok(checkpoint)
}

/// Saves the checkpoint of a stream that was claimed.
pub(crate) fn save(transaction: &Transaction<'_>, key: &StreamKey, checkpoint: &str) -> rusqlite::Result<()> {
    let StreamKey { connection, object, table, stream, .. } = key;
    let save = format!("UPDATE {CHECKPOINTS} SET checkpoint = ?5 WHERE {OF_STREAM}");
    let stream = stream.as_deref().unwrap_or_default();
    transaction.prepare_cached(&save)?.execute(params![connection, object, table, stream, checkpoint])?;
    Ok(())
}

/// Removes a stream's checkpoint, and leaves its epoch to whichever org comes next under the connection's name.
pub(crate) fn hand_over(
    transaction: &Transaction<'_>,
    place: &str,
    key: &StreamKey,
    epoch: Epoch,
) -> Result<(), Failure> {
    claim(transaction, place, key, epoch)?;
    let StreamKey { connection, object, table, stream, .. } = key;
    let leave = format!("UPDATE {CHECKPOINTS} SET org = '', checkpoint = NULL WHERE {OF_STREAM}");
    transaction.execute(&leave, params![connection, object, table, stream.as_deref().unwrap_or_default()])?;
    Ok(())
}

/// Removes a stream's epoch and checkpoint.
pub(crate) fn remove(transaction: &Transaction<'_>, key: &StreamKey) -> rusqlite::Result<()> {
    let StreamKey { connection, object, table, stream, .. } = key;
    let remove = format!("DELETE FROM {CHECKPOINTS} WHERE {OF_STREAM}");
    transaction.execute(&remove, params![connection, object, table, stream.as_deref().unwrap_or_default()])?;
    Ok(())
}

/// Somebody has dropped the table: what its checkpoints say was written is gone.
pub(crate) fn forget(transaction: &Transaction<'_>, table: &str) -> rusqlite::Result<()> {
    let forget = format!("UPDATE {CHECKPOINTS} SET checkpoint = NULL WHERE \"table\" = ?1");
    transaction.execute(&forget, [table])?;
    Ok(())
}

/// Somebody has altered the table: each of its streams learns what it has to read again. A checkpoint that this version
/// cannot read stays as it is, for the version that can.
pub(crate) fn revise(transaction: &Transaction<'_>, table: &str, lost: &Lost) -> rusqlite::Result<()> {
    if lost.is_nothing() {
        return Ok(());
    }
    let all =
        format!("SELECT rowid, stream, checkpoint FROM {CHECKPOINTS} WHERE \"table\" = ?1 AND checkpoint NOT NULL");
    let stored = transaction
        .prepare(&all)?
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<Vec<(i64, String, String)>>>()?;
    for (rowid, stream, text) in stored {
        let Ok(checkpoint) = serde_json::from_str::<Checkpoint>(&text) else { continue };
        let Some(revised) = lost.revise(&checkpoint, !stream.is_empty()) else { continue };
        let text = serde_json::to_string(&revised).expect("a checkpoint is plain data");
        transaction
            .execute(&format!("UPDATE {CHECKPOINTS} SET checkpoint = ?2 WHERE rowid = ?1"), params![rowid, text])?;
    }
    Ok(())
}
