//! The reading half of a run: a task that hands over what it reads, and ends with what is known then.

use std::time::Duration;

use salesforce::{ApiVersion, Timestamp};
use tokio::sync::mpsc;

use crate::{
    checkpoint::Position,
    read::{Heard, LOOKED_UP, Piece, Question, ReadError, ReadMode, ReadOptions, Reader, gone},
    table::Deletion,
};

/// What the reader hands over.
pub(super) enum Handed {
    /// Reading has begun. What was committed before `as_of` is going to be there.
    Begun {
        as_of: Timestamp,
    },
    Piece {
        piece: Piece,
        mode: ReadMode,
        took: Duration,
    },
    /// Records that are gone for good.
    Gone {
        deletions: Vec<Deletion>,
        took: Duration,
    },
}

/// How reading ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// Everything is handed over. With deletions: whatever is stamped up to `settled` is among it, or was before.
    Whole { settled: Option<Timestamp> },
    /// Everything but deletions, which the org did not tell.
    Refused { reason: String },
    /// Nothing is handed over: the org has forgotten deletions since the last look.
    Forgotten,
}

/// Reads from `at` on, until the end or until nobody listens.
pub(super) async fn read(
    question: Question,
    at: Position,
    api: ApiVersion,
    options: ReadOptions,
    sender: mpsc::Sender<Handed>,
) -> Result<End, ReadError> {
    let client = question.client.clone();
    let timer = client.timer();
    let mut begun = timer.instant();
    let opened = Reader::open(question.clone(), &at, api, options).await?;
    if opened.heard == Heard::Forgotten {
        return Ok(End::Forgotten);
    }
    let mut reader = opened.reader;
    let unheard = Ok(End::Whole { settled: None });
    if sender.send(Handed::Begun { as_of: opened.as_of }).await.is_err() {
        return unheard;
    }
    while let Some(piece) = reader.next().await? {
        let took = timer.instant().saturating_duration_since(begun).saturating_sub(piece.waited);
        if sender.send(Handed::Piece { piece, mode: reader.mode(), took }).await.is_err() {
            return unheard;
        }
        begun = timer.instant();
    }
    let (ids, settled) = match opened.heard {
        Heard::Deleted { ids, settled } => (ids, Some(settled)),
        Heard::Refused { reason } => return Ok(End::Refused { reason }),
        Heard::Nothing | Heard::Forgotten => return unheard,
    };
    for ids in ids.chunks(LOOKED_UP) {
        let deletions = gone(&question, ids).await?;
        let took = timer.instant().saturating_duration_since(begun);
        if sender.send(Handed::Gone { deletions, took }).await.is_err() {
            return unheard;
        }
        begun = timer.instant();
    }
    Ok(End::Whole { settled })
}

/// The reader's task; ends with the run, however the run ends.
pub(super) struct AbortOnDrop(pub(super) tokio::task::JoinHandle<Result<End, ReadError>>);

impl AbortOnDrop {
    pub(super) async fn join(mut self) -> Result<End, ReadError> {
        match (&mut self.0).await {
            Ok(read) => read,
            Err(failure) => std::panic::resume_unwind(failure.into_panic()),
        }
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
