//! Rows in files, in a local folder or in an S3-compatible store: Parquet, CSV or JSON Lines.
//!
//! A table is a folder. Its rows lie in `data/`, in files that are written once; which of them are the table says a
//! manifest in `_orgtide/manifests/`, of which every write makes a new version, by a number that can be taken once. So a
//! write happens wholly or not at all, with its checkpoint and its epoch (`versions.rs`).
//!
//! The files of a connection are in the order of their keys and do not overlap. Rows that change are written again with the
//! row group they are in, and its file with its other row groups copied as they are (`merge.rs`): a version never has two
//! files with one row, and any reader of the format sees a table (`publish.rs`). Salesforce's ids ascend, so that records that
//! are created come in files of their own at the end; small neighbours are joined.
//!
//! What a row group is depends on the format (`data.rs`): one of Parquet's own, or a block of lines.
//!
//! | Orgtide's type | Parquet | CSV and JSON Lines |
//! |---|---|---|
//! | text | `STRING` | text |
//! | JSON | `STRING` | text; an object or array as it is in JSON Lines |
//! | decimal | `DECIMAL(38, 18)` | its shortest exact text, in quotes in JSON Lines |
//! | date, time of day | `DATE`, `TIME(MILLIS)` without a zone | `2024-09-24`, `10:15:00.000` |
//! | timestamp | `TIMESTAMP(MILLIS, UTC)` | `2024-09-24T03:26:07.000Z` |
//! | boolean, integer | `BOOLEAN`, `INT64` | `true`, digits |
//!
//! One thread does the work, so that decoding goes on while rows are encoded. The clock that decides what is old is the
//! store's.

mod apply;
mod convert;
mod data;
mod failure;
mod foreign;
mod format;
mod manifest;
mod merge;
mod name;
mod parquet;
mod publish;
mod read;
pub(crate) mod rows;
mod settings;
mod shape;
mod store;
#[cfg(test)]
mod tests;
mod text;
mod versions;
mod writer;

use std::thread;

use sync::{
    checkpoint::{Checkpoint, Epoch},
    destination::{Destination, DestinationError, Written},
    table::{Held, StreamKey, TableBatch, TableSchema},
};
use tokio::sync::{mpsc, oneshot};

use self::writer::Writer;
pub use self::{
    format::{FileFormat, Packing},
    settings::{Bucket, FilesPlace, FilesSettings},
};

type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A call on its way to the thread that writes.
enum Command {
    Prepare { stream: StreamKey, table: TableSchema, epoch: Epoch, reply: Reply<Option<Checkpoint>> },
    Write { batch: TableBatch, resume: Box<Checkpoint>, epoch: Epoch, reply: Reply<Written> },
    Read { after: Option<String>, columns: Vec<usize>, reply: Reply<Held> },
    Close { reply: Reply<()> },
}

type Reply<T> = oneshot::Sender<Result<T, DestinationError>>;

/// Writes one stream into one table of Parquet files; see the [module](self).
pub struct FilesDestination {
    place: String,
    commands: mpsc::Sender<Command>,
}

impl FilesDestination {
    /// Starts the thread; nothing is touched before the first `prepare`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(settings: FilesSettings) -> Result<Self, DestinationError> {
        let place = settings.place();
        let (commands, queue) = mpsc::channel(1);
        thread::Builder::new()
            .name("files-writer".to_owned())
            .spawn(move || serve(settings, queue))
            .map_err(|error| DestinationError::Unreachable { place: place.clone(), reason: error.to_string() })?;
        Ok(Self { place, commands })
    }

    /// Sends a call and waits for its answer. A caller that goes away leaves the call to be finished or never begun.
    async fn call<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, DestinationError> {
        let (reply, answer) = oneshot::channel();
        let stopped = || DestinationError::Other {
            place: self.place.clone(),
            reason: "the thread that writes has stopped; the log says why".to_owned(),
        };
        self.commands.send(command(reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Destination for FilesDestination {
    fn prepare<'a>(
        &'a mut self,
        stream: &'a StreamKey,
        table: &'a TableSchema,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, DestinationError>> {
        let (stream, table) = (stream.clone(), table.clone());
        Box::pin(self.call(move |reply| Command::Prepare { stream, table, epoch, reply }))
    }

    fn write<'a>(
        &'a mut self,
        batch: TableBatch,
        resume: &'a Checkpoint,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Written, DestinationError>> {
        let resume = Box::new(resume.clone());
        Box::pin(self.call(move |reply| Command::Write { batch, resume, epoch, reply }))
    }

    fn read<'a>(
        &'a mut self,
        after: Option<&'a str>,
        columns: &'a [usize],
    ) -> BoxFuture<'a, Result<Held, DestinationError>> {
        let (after, columns) = (after.map(str::to_owned), columns.to_vec());
        Box::pin(self.call(move |reply| Command::Read { after, columns, reply }))
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), DestinationError>> {
        Box::pin(async move { self.call(|reply| Command::Close { reply }).await })
    }
}

/// Why a table of files is matched with no other.
pub(crate) fn no_matching(settings: &impl std::fmt::Display, table: &str) -> DestinationError {
    DestinationError::Incompatible {
        place: settings.to_string(),
        table: table.to_owned(),
        reason: writer::NO_MATCHING.to_owned(),
    }
}

/// The thread: one call after the other, until the destination is closed or dropped.
fn serve(settings: FilesSettings, mut queue: mpsc::Receiver<Command>) {
    let mut writer = Writer::new(settings);
    // A caller that no longer waits for the answer is no error: the call has happened.
    while let Some(command) = queue.blocking_recv() {
        match command {
            Command::Prepare { stream, table, epoch, reply } => {
                let _ = reply.send(writer.prepare(stream, table, epoch));
            }
            Command::Write { batch, resume, epoch, reply } => {
                let _ = reply.send(writer.write(&batch, &resume, epoch));
            }
            Command::Read { after, columns, reply } => {
                let _ = reply.send(writer.read(after.as_deref(), &columns));
            }
            Command::Close { reply } => {
                let _ = reply.send(writer.close());
                return;
            }
        }
    }
}
