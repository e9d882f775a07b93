//! Messages that wait for the receiver, and those that it does not take.

use std::fmt::Write as _;

use rusqlite::{OptionalExtension as _, Transaction, params};
use sync::{Timestamp, checkpoint::Epoch, destination::DestinationError, table::StreamKey};

use super::{ledger::next_sequence, message::Kind};
use crate::sqlite::{checkpoints, failure::Failure};

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) sequence: i64,
    /// The same for every attempt.
    pub(super) id: String,
    pub(super) body: String,
    /// How often it was sent in vain.
    pub(super) attempts: u32,
    /// The receiver asked for nothing before this moment.
    pub(super) not_before: Option<Timestamp>,
}

/// Adds a message with a sequence of its own.
pub(super) fn add(
    transaction: &Transaction<'_>,
    stream: i64,
    kind: Kind,
    now: Timestamp,
    body: impl FnOnce(i64) -> String,
) -> Result<i64, Failure> {
    let sequence = next_sequence(transaction, now)?;
    add_as(transaction, sequence, stream, kind, now, &body(sequence))?;
    Ok(sequence)
}

/// Adds a message whose sequence was taken before.
pub(super) fn add_as(
    transaction: &Transaction<'_>,
    sequence: i64,
    stream: i64,
    kind: Kind,
    now: Timestamp,
    body: &str,
) -> Result<(), Failure> {
    let add = "INSERT INTO messages (sequence, stream, id, kind, body, made_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let id = new_id()?;
    transaction.prepare_cached(add)?.execute(params![sequence, stream, id, kind.text(), body, now.0])?;
    Ok(())
}

/// An id that no message of any ledger had before. It has no full stop, which separates it from what is signed with it.
pub(super) fn new_id() -> Result<String, DestinationError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| DestinationError::Other {
        place: "the system's randomness".to_owned(),
        reason: error.to_string(),
    })?;
    Ok(bytes.iter().fold("msg_".to_owned(), |mut id, byte| {
        // Writing to a text cannot fail.
        let _ = write!(id, "{byte:02x}");
        id
    }))
}

/// The message that is to be sent next. A run of a later epoch sends its own.
pub(super) fn next(
    transaction: &Transaction<'_>,
    place: &str,
    key: &StreamKey,
    stream: i64,
    epoch: Epoch,
) -> Result<Option<Message>, Failure> {
    checkpoints::claim(transaction, place, key, epoch)?;
    let query = "SELECT sequence, id, body, attempts, not_before FROM messages JOIN streams ON number = messages.stream
                 WHERE messages.stream = ?1 AND state = 'waiting' ORDER BY sequence LIMIT 1";
    let message = transaction.prepare_cached(query)?.query_row([stream], |row| {
        Ok(Message {
            sequence: row.get(0)?,
            id: row.get(1)?,
            body: row.get(2)?,
            attempts: row.get(3)?,
            not_before: row.get::<_, Option<i64>>(4)?.map(Timestamp),
        })
    });
    Ok(message.optional()?)
}

/// The receiver has it.
pub(super) fn taken(transaction: &Transaction<'_>, stream: i64, sequence: i64) -> Result<(), Failure> {
    transaction.prepare_cached("DELETE FROM messages WHERE sequence = ?1")?.execute([sequence])?;
    let calm = "UPDATE streams SET dead_in_a_row = 0, not_before = NULL WHERE number = ?1";
    transaction.prepare_cached(calm)?.execute([stream])?;
    Ok(())
}

/// Notes an attempt in vain.
pub(super) fn failed(
    transaction: &Transaction<'_>,
    stream: i64,
    sequence: i64,
    answer: &str,
    now: Timestamp,
    not_before: Option<Timestamp>,
) -> Result<(), Failure> {
    let note = "UPDATE messages SET attempts = attempts + 1, answer = ?2, tried_at = ?3 WHERE sequence = ?1";
    transaction.execute(note, params![sequence, answer, now.0])?;
    let wait = "UPDATE streams SET not_before = ?2 WHERE number = ?1";
    transaction.execute(wait, params![stream, not_before.map(|moment| moment.0)])?;
    Ok(())
}

/// Makes a message a dead letter, unless as many before it have become one as there may be in a row: true when it is one.
pub(super) fn set_aside(
    transaction: &Transaction<'_>,
    stream: i64,
    sequence: i64,
    most_in_a_row: u32,
) -> Result<bool, Failure> {
    let count = "UPDATE streams SET dead_in_a_row = dead_in_a_row + 1 WHERE number = ?1 AND dead_in_a_row < ?2";
    let is_one = transaction.execute(count, params![stream, most_in_a_row])? == 1;
    if is_one {
        transaction.execute("UPDATE messages SET state = 'dead' WHERE sequence = ?1", [sequence])?;
    }
    Ok(is_one)
}
