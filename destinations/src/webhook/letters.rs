//! What people do with a webhook beside its runs: look at messages, replay dead letters, try the receiver, end a stream.

use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use serde::Serialize;
use sync::{Timestamp, checkpoint::Epoch, destination::DestinationError, table::StreamKey};

use super::{
    WebhookSettings,
    answer::Verdict,
    ledger::{self, Ledger, next_sequence},
    ledger_path,
    message::{self, Kind},
    outbox,
    overtaken::{Left, leave_out},
    sender::Sender,
};
use crate::{
    RowCounts, not_ours,
    sqlite::{checkpoints, failure::Failure},
};

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterState {
    /// It is sent by the next run, or by the one that is under way.
    Waiting,
    /// The receiver has refused it; it is sent when somebody says so.
    Dead,
}

/// A message that its receiver has not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Letter {
    /// As in the header `webhook-id`.
    pub id: String,
    pub sequence: i64,
    pub connection: String,
    pub object: String,
    pub table: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stream: String,
    /// As in the message's `type`.
    pub kind: String,
    pub state: LetterState,
    pub attempts: u32,
    /// What the receiver said last, or why it could not be reached.
    pub answer: Option<String>,
    pub made_at: Timestamp,
    pub tried_at: Option<Timestamp>,
    /// The body's size.
    pub bytes: u64,
}

/// Which dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    All,
    /// Those with these ids.
    Ids(Vec<String>),
    /// Those that were made at this moment or later.
    Since(Timestamp),
}

/// What came of a dead letter that was sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Replayed {
    /// The receiver has it. Rows that later messages have told since were left out.
    Taken { left_out: u64 },
    /// Later messages have told all its rows since: there was nothing to send.
    Overtaken,
    /// It stays a dead letter.
    Refused { reason: String },
}

const LETTER: &str =
    "SELECT id, sequence, connection, object, \"table\", streams.stream, kind, state, attempts, answer,
        made_at, tried_at, length(CAST(body AS BLOB))
    FROM messages JOIN streams ON number = messages.stream";

fn letter(row: &Row<'_>) -> rusqlite::Result<Letter> {
    Ok(Letter {
        id: row.get(0)?,
        sequence: row.get(1)?,
        connection: row.get(2)?,
        object: row.get(3)?,
        table: row.get(4)?,
        stream: row.get(5)?,
        kind: row.get(6)?,
        state: if row.get::<_, String>(7)? == "dead" { LetterState::Dead } else { LetterState::Waiting },
        attempts: row.get(8)?,
        answer: row.get(9)?,
        made_at: Timestamp(row.get(10)?),
        tried_at: row.get::<_, Option<i64>>(11)?.map(Timestamp),
        bytes: row.get::<_, i64>(12)?.unsigned_abs(),
    })
}

/// The ledger, if anything was ever sent.
fn opened(settings: &WebhookSettings) -> Result<Option<Ledger>, DestinationError> {
    Ok(Some(Ledger::at(ledger_path(settings)?)).filter(Ledger::exists))
}

/// The messages of a connection that were not taken, in their order.
///
/// # Errors
/// The ledger cannot be read.
pub async fn list(settings: &WebhookSettings, connection: &str) -> Result<Vec<Letter>, DestinationError> {
    let Some(ledger) = opened(settings)? else { return Ok(Vec::new()) };
    let connection = connection.to_owned();
    let listed = move |file: &Transaction<'_>| {
        let query = format!("{LETTER} WHERE connection = ?1 ORDER BY sequence");
        let letters = file.prepare(&query)?.query_map([connection], letter)?.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(letters)
    };
    ledger.transact(listed).await
}

/// One message and its body; `None`: there is none of this id.
///
/// # Errors
/// The ledger cannot be read.
pub async fn show(
    settings: &WebhookSettings,
    connection: &str,
    id: &str,
) -> Result<Option<(Letter, String)>, DestinationError> {
    let Some(ledger) = opened(settings)? else { return Ok(None) };
    let (connection, id) = (connection.to_owned(), id.to_owned());
    let shown = move |file: &Transaction<'_>| {
        let query = format!("{LETTER} WHERE connection = ?1 AND id = ?2");
        let found = file.query_row(&query, [&connection, &id], letter).optional()?;
        let body = |letter: &Letter| {
            file.query_row("SELECT body FROM messages WHERE sequence = ?1", [letter.sequence], |row| row.get(0))
        };
        Ok(found.map(|letter| body(&letter).map(|body| (letter, body))).transpose()?)
    };
    ledger.transact(shown).await
}

/// How many dead letters a stream has.
///
/// # Errors
/// The ledger cannot be read.
pub async fn dead(settings: &WebhookSettings, stream: &StreamKey) -> Result<u64, DestinationError> {
    let Some(ledger) = opened(settings)? else { return Ok(0) };
    let key = stream.clone();
    let counted = move |file: &Transaction<'_>| {
        let Some(number) = ledger::find(file, &key)? else { return Ok(0) };
        let query = "SELECT count(*) FROM messages WHERE stream = ?1 AND state = 'dead'";
        Ok(file.query_row(query, [number], |row| row.get::<_, i64>(0))?.unsigned_abs())
    };
    ledger.transact(counted).await
}

/// Sends dead letters again, in their order, under the same ids.
///
/// A receiver that is away ends it; what was not reached by then stays as it is.
///
/// # Errors
/// The receiver cannot be reached, or takes nothing; or the ledger cannot be written.
pub async fn replay(
    settings: &WebhookSettings,
    connection: &str,
    chosen: &Chosen,
) -> Result<Vec<(Letter, Replayed)>, DestinationError> {
    let letters: Vec<Letter> = list(settings, connection).await?.into_iter().filter(|one| chosen.has(one)).collect();
    let Some(ledger) = opened(settings)?.filter(|_| !letters.is_empty()) else { return Ok(Vec::new()) };
    let sender = Sender::new(settings)?;
    let mut replayed = Vec::new();
    for letter in letters {
        let outcome = replay_one(settings, &ledger, &sender, &letter).await?;
        replayed.push((letter, outcome));
    }
    ledger.close().await;
    Ok(replayed)
}

async fn replay_one(
    settings: &WebhookSettings,
    ledger: &Ledger,
    sender: &Sender,
    letter: &Letter,
) -> Result<Replayed, DestinationError> {
    let sequence = letter.sequence;
    let pruned = ledger.transact(move |file| leave_out(file, sequence)).await?;
    let Left { body: Some(body), left_out } = pruned else {
        discard_one(ledger, sequence).await?;
        return Ok(Replayed::Overtaken);
    };
    match sender.send(&letter.id, body).await {
        Verdict::Taken => {
            discard_one(ledger, sequence).await?;
            Ok(Replayed::Taken { left_out })
        }
        Verdict::Refused { reason } => {
            let (answer, now) = (reason.clone(), settings.surroundings.clock.now());
            let note = "UPDATE messages SET attempts = attempts + 1, answer = ?2, tried_at = ?3 WHERE sequence = ?1";
            ledger.transact(move |file| Ok(file.execute(note, params![sequence, answer, now.0])?)).await?;
            Ok(Replayed::Refused { reason })
        }
        other => Err(in_vain(settings, other)),
    }
}

async fn discard_one(ledger: &Ledger, sequence: i64) -> Result<(), DestinationError> {
    let remove = "DELETE FROM messages WHERE sequence = ?1";
    ledger.transact(move |file| Ok(file.execute(remove, [sequence]).map(drop)?)).await
}

impl Chosen {
    fn has(&self, letter: &Letter) -> bool {
        letter.state == LetterState::Dead
            && match self {
                Self::All => true,
                Self::Ids(ids) => ids.contains(&letter.id),
                Self::Since(moment) => letter.made_at >= *moment,
            }
    }
}

/// Removes dead letters; returns how many. What they held reaches the receiver only if it is read and changed again.
///
/// # Errors
/// The ledger cannot be written.
pub async fn discard(settings: &WebhookSettings, connection: &str, chosen: &Chosen) -> Result<u64, DestinationError> {
    let letters: Vec<Letter> = list(settings, connection).await?.into_iter().filter(|one| chosen.has(one)).collect();
    let Some(ledger) = opened(settings)? else { return Ok(0) };
    for letter in &letters {
        discard_one(&ledger, letter.sequence).await?;
    }
    ledger.close().await;
    Ok(letters.len() as u64)
}

/// Makes a waiting message a dead letter, so that those behind it are sent; false: none of this id waits.
///
/// # Errors
/// The ledger cannot be written.
pub async fn set_aside(settings: &WebhookSettings, connection: &str, id: &str) -> Result<bool, DestinationError> {
    let Some(ledger) = opened(settings)? else { return Ok(false) };
    let (connection, id) = (connection.to_owned(), id.to_owned());
    let aside = "UPDATE messages SET state = 'dead' WHERE id = ?1 AND state = 'waiting'
                 AND stream IN (SELECT number FROM streams WHERE connection = ?2)";
    ledger.transact(move |file| Ok(file.execute(aside, [id, connection])? == 1)).await
}

/// Forgets what the receiver was told of a stream's rows, so that the next whole reading tells all of them; returns how
/// many. Versions and deletions stay known.
///
/// # Errors
/// The ledger cannot be written.
pub async fn resend(settings: &WebhookSettings, stream: &StreamKey) -> Result<u64, DestinationError> {
    let Some(ledger) = opened(settings)? else { return Ok(0) };
    let stream = stream.clone();
    let forget = "UPDATE rows SET digest = NULL, patched = NULL
                  WHERE \"table\" = ?1 AND connection = ?2 AND stream IS ?3";
    let values = move |file: &Transaction<'_>| {
        Ok(file.execute(forget, params![stream.table, stream.connection, stream.stream])? as u64)
    };
    ledger.transact(values).await
}

/// Sends a message that says nothing, once.
///
/// # Errors
/// Whatever keeps the receiver from taking it.
pub async fn test(settings: &WebhookSettings) -> Result<(), DestinationError> {
    let sender = Sender::new(settings)?;
    let body = message::body(Kind::Test, settings.surroundings.clock.now(), 0, "\"format\":1", "");
    match sender.send(&outbox::new_id()?, body).await {
        Verdict::Taken => Ok(()),
        other => Err(in_vain(settings, other)),
    }
}

/// Why a message that is sent once was not taken.
fn in_vain(settings: &WebhookSettings, verdict: Verdict) -> DestinationError {
    let place = settings.place();
    match verdict {
        Verdict::Later { reason, .. } => DestinationError::Unreachable { place, reason },
        Verdict::Denied { reason } => DestinationError::Denied { place, reason },
        Verdict::Refused { reason } | Verdict::Unusable { reason } => DestinationError::Unusable { place, reason },
        Verdict::Taken => DestinationError::Other { place, reason: "it was taken".to_owned() },
    }
}

/// Counts what the receiver was told of, or is going to be.
pub(crate) async fn count(settings: &WebhookSettings, stream: &StreamKey) -> Result<RowCounts, DestinationError> {
    let ledger = opened(settings)?.ok_or_else(|| settings.unusable("nothing was sent to it yet".to_owned()))?;
    let key = stream.clone();
    let counted = move |file: &Transaction<'_>| {
        let query = "SELECT count(*) - coalesce(sum(deleted), 0), coalesce(sum(deleted), 0) FROM rows
                     WHERE \"table\" = ?1 AND connection = ?2 AND stream IS ?3";
        let counts: (i64, i64) = file
            .query_row(query, params![key.table, key.connection, key.stream], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(RowCounts { present: counts.0.unsigned_abs(), deleted: counts.1.unsigned_abs() })
    };
    ledger.transact(counted).await
}

/// Looks whether the stream's rows are its own to remove.
pub(crate) async fn may_remove(settings: &WebhookSettings, stream: &StreamKey) -> Result<(), DestinationError> {
    let Some(ledger) = opened(settings)? else { return Ok(()) };
    let (place, stream) = (ledger.place(), stream.clone());
    ledger.transact(move |file| refuse_what_is_not_ours(file, place, &stream)).await
}

fn refuse_what_is_not_ours(file: &Transaction<'_>, place: String, stream: &StreamKey) -> Result<(), Failure> {
    if !checkpoints::know_writers(file)? {
        return Ok(());
    }
    match checkpoints::other_writer_of(file, stream)? {
        Some((org, installation)) => Err(DestinationError::NotOurs {
            place,
            table: stream.table.clone(),
            reason: not_ours(stream, &org, &installation),
        }
        .into()),
        None => Ok(()),
    }
}

/// Tells the receiver to remove the stream's rows, and forgets the stream; returns how many rows it was told of.
pub(crate) async fn remove(settings: &WebhookSettings, stream: &StreamKey) -> Result<u64, DestinationError> {
    removed(settings, stream, None).await
}

/// The same, but the stream's epoch stays, for whichever org comes next.
pub(crate) async fn hand_over(
    settings: &WebhookSettings,
    stream: &StreamKey,
    epoch: Epoch,
) -> Result<u64, DestinationError> {
    removed(settings, stream, Some(epoch)).await
}

async fn removed(
    settings: &WebhookSettings,
    stream: &StreamKey,
    successor: Option<Epoch>,
) -> Result<u64, DestinationError> {
    let Some(ledger) = opened(settings)? else { return Ok(0) };
    may_remove(settings, stream).await?;
    if let Some(epoch) = successor {
        // From here on no run of before is heard, whatever the receiver says.
        let (key, place) = (stream.clone(), ledger.place());
        let claimed = move |file: &Transaction<'_>| {
            checkpoints::make_ready(file)?;
            checkpoints::claim(file, &place, &key, epoch).map(drop)
        };
        ledger.transact(claimed).await?;
    }
    let (key, now) = (stream.clone(), settings.surroundings.clock.now());
    let numbered = move |file: &Transaction<'_>| match ledger::find(file, &key)? {
        Some(_) => Ok(Some(next_sequence(file, now)?)),
        None => Ok(None),
    };
    if let Some(sequence) = ledger.transact(numbered).await? {
        let body = message::body(Kind::Removed, now, sequence, &message::heading(stream, None, None), "");
        match Sender::new(settings)?.send(&outbox::new_id()?, body).await {
            Verdict::Taken => {}
            other => return Err(in_vain(settings, other)),
        }
    }
    let (key, place) = (stream.clone(), ledger.place());
    let removed = move |file: &Transaction<'_>| {
        let removed = ledger::forget(file, &key)?;
        if let Some(epoch) = successor {
            checkpoints::hand_over(file, &place, &key, epoch)?;
        }
        Ok(removed)
    };
    let removed = ledger.transact(removed).await;
    ledger.close().await;
    removed
}
