//! The contract between the pipeline and the places rows go to.

use futures_util::future::BoxFuture;

use crate::{
    Recovery,
    checkpoint::{Checkpoint, Epoch},
    table::{Held, StreamKey, TableBatch, TableSchema},
};

/// Takes one stream's rows.
///
/// *Order*: `prepare` once, then any number of `write`s in the order of the run, then `close`.
/// *Repeats*: a batch, or part of it, may arrive again after a crash; writing it twice must leave what writing it
/// once leaves.
/// *Durability*: when `write` returns `Ok`, its rows and its checkpoint are committed together and survive the end of
/// the process; when it returns an error, neither is there. Whether they survive a power failure as well is what the
/// destination's settings say. Where they do not, they are lost together and from the end backwards, so that the next
/// run reads again what is missing.
/// *Fencing*: `prepare` records the epoch; `prepare` and `write` with an epoch older than the recorded one fail with
/// [`DestinationError::Fenced`] inside the transaction, and change nothing.
/// *Cancellation*: a dropped future leaves the destination as if the call had happened wholly or not at all.
pub trait Destination: Send {
    /// Creates or widens the table and returns the destination's own checkpoint, which wins over any other.
    fn prepare<'a>(
        &'a mut self,
        stream: &'a StreamKey,
        table: &'a TableSchema,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, DestinationError>>;

    /// Upserts, patches and deletes rows and saves `resume`, together. An empty batch saves the checkpoint alone.
    ///
    /// While `resume` sweeps, the rows that are upserted are marked with its generation; the write that completes the
    /// window then deletes, as the table does, every row of this stream that has another mark.
    fn write<'a>(
        &'a mut self,
        batch: TableBatch,
        resume: &'a Checkpoint,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Written, DestinationError>>;

    /// The stream's rows in the order of their keys' bytes, behind the key `after`: some of them, at most about a
    /// batch, and none when there are no more. `columns` are indexes into [`TableSchema::columns`], with the key among them.
    ///
    /// *Order*: between `prepare` and `close`. What is written meanwhile may be among the rows or not.
    fn read<'a>(
        &'a mut self,
        after: Option<&'a str>,
        columns: &'a [usize],
    ) -> BoxFuture<'a, Result<Held, DestinationError>>;

    /// Releases what the destination holds.
    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), DestinationError>>;
}

/// What a write did beyond what it was given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows that a whole reading did not name any more, and that were deleted for it.
    pub swept: u64,
    /// Of the records it was given: those that are linked to a row of the table that is matched with.
    pub matched: u64,
    /// Those that no row was found for.
    pub unmatched: u64,
    /// Those that several rows were found for.
    pub ambiguous: u64,
}

/// Why a destination could not do what it was asked, by what cures it.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    #[error("{place}: another run has taken over this stream (epoch {ours} is older than {current})")]
    Fenced { place: String, ours: i64, current: i64 },
    #[error("{place} cannot be reached: {reason}")]
    Unreachable { place: String, reason: String },
    #[error("{place} is full: {reason}. Free some space, then run the same command again: it goes on where it stopped")]
    Full { place: String, reason: String },
    #[error("{place} refuses access: {reason}")]
    Denied { place: String, reason: String },
    #[error("{place}: table {table:?} cannot take this stream: {reason}")]
    Incompatible { place: String, table: String, reason: String },
    #[error("{place}: the rows in table {table:?} are not removed: {reason}")]
    NotOurs { place: String, table: String, reason: String },
    #[error(
        "{place}: what was sent there cannot be read back, so nothing can be held against the org. Compare what the \
         receiver has made of it, over there"
    )]
    WriteOnly { place: String },
    #[error("{place} cannot be used: {reason}")]
    Unusable { place: String, reason: String },
    #[error("{place}: {reason}")]
    Other { place: String, reason: String },
}

impl DestinationError {
    /// What cures it.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Unreachable { .. } => Recovery::Retry { after: None },
            Self::Full { .. }
            | Self::Denied { .. }
            | Self::Incompatible { .. }
            | Self::NotOurs { .. }
            | Self::WriteOnly { .. }
            | Self::Unusable { .. } => Recovery::Configure,
            Self::Fenced { .. } | Self::Other { .. } => Recovery::Bug,
        }
    }
}
