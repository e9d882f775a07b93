//! Rows in a SQLite file.
//!
//! One thread owns the only connection that writes; calls reach it through a channel, so that decoding goes on while
//! SQLite works. A batch, its checkpoint and the check of its epoch are one transaction (`BEGIN IMMEDIATE`).
//!
//! What a table looks like:
//!
//! | Orgtide's type | declared | written as |
//! |---|---|---|
//! | text, JSON | `TEXT` | itself |
//! | decimal | `TEXT` | shortest exact text: `50000`, `0.1`, `-12.345` |
//! | date, time of day | `TEXT` | `2024-09-24`, `10:15:00.000` |
//! | timestamp | `TEXT` | `2024-09-24T03:26:07.000Z`, always UTC: text order is time order |
//! | boolean, integer | `INTEGER` | `0` or `1`, the number |
//!
//! `_connection` comes first and is part of the key (`_connection`, record id); `_deleted` is there when deletes are
//! flagged, `_stream` when several streams fill the table, `_generation` when rows are swept. Tables have a rowid: for
//! wide rows a table without one is ten times slower in any order but the key's.
//!
//! A table widens by itself: columns are added, and a column declared as a number becomes `TEXT` when its field turns
//! into text. The other way round the column stays `TEXT` and holds numbers as text: nothing is lost, and old values
//! stay readable. Columns that the mapping no longer names stay, with the values they had. A column that somebody has
//! dropped by hand is added again, and the checkpoints of the table's streams forget it, so that it is filled again.

mod binding;
pub(crate) mod checkpoints;
pub(crate) mod columns;
pub(crate) mod count;
pub(crate) mod failure;
mod fault;
pub(crate) mod foresee;
pub(crate) mod identity;
pub(crate) mod links;
mod matcher;
mod read;
pub(crate) mod remove;
mod rows;
mod schema;
mod statements;
mod writer;

use std::{
    fmt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use sync::{
    checkpoint::{Checkpoint, Epoch},
    destination::{Destination, DestinationError, Written},
    table::{Held, StreamKey, TableBatch, TableSchema},
};
use tokio::sync::{mpsc, oneshot};

use self::writer::Writer;

type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// When a committed batch is on the disk, in the words of SQLite's `PRAGMA synchronous` (with a write-ahead log).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Survives the end of the process at any moment. A power failure may undo the last batches, each with its
    /// checkpoint, so that the next run reads them again; it never damages the file.
    #[default]
    Normal,
    /// Every batch survives a power failure as soon as `write` returns.
    Full,
}

/// Which file, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteSettings {
    pub path: PathBuf,
    pub synchronous: Synchronous,
    /// How long to wait for another program that writes to the file.
    pub busy_timeout: Duration,
}

impl SqliteSettings {
    /// The file at `path`, otherwise as by default.
    ///
    /// # Errors
    /// The path is empty or one of SQLite's names for a database that vanishes.
    pub fn at(path: &Path) -> Result<Self, DestinationError> {
        if path.as_os_str().is_empty() || path == Path::new(":memory:") {
            let reason = "rows need a file to stay in: name a file, such as sqlite:rows.db".to_owned();
            return Err(DestinationError::Unusable { place: format!("SQLite database {:?}", path), reason });
        }
        Ok(Self { path: path.to_owned(), synchronous: Synchronous::default(), busy_timeout: Duration::from_secs(30) })
    }

    /// The same with a path that means the same from any working directory.
    #[must_use]
    pub fn absolute(mut self) -> Self {
        self.path = std::path::absolute(&self.path).unwrap_or(self.path);
        self
    }

    /// Reads `path?synchronous=full`. Only a parameter that is known, or looks like one, ends the path.
    pub(crate) fn parse(text: &str) -> Result<Self, DestinationError> {
        let (path, parameter) = match text.rsplit_once('?') {
            Some((path, parameter)) if parameter.contains('=') => (path, Some(parameter)),
            Some(_) | None => (text, None),
        };
        let mut settings = Self::at(Path::new(path))?;
        match parameter.map(|parameter| parameter.split_once('=').unwrap_or((parameter, ""))) {
            None | Some(("synchronous", "normal")) => {}
            Some(("synchronous", "full")) => settings.synchronous = Synchronous::Full,
            Some(("synchronous", other)) => {
                return Err(settings.unusable(format!("synchronous is normal or full, not {other:?}")));
            }
            Some((other, _)) => {
                return Err(settings.unusable(format!("{other:?} is no setting; there is synchronous=normal|full")));
            }
        }
        Ok(settings)
    }

    /// The file, as messages name it.
    fn place(&self) -> String {
        format!("SQLite database {}", self.path.display())
    }

    fn unusable(&self, reason: String) -> DestinationError {
        DestinationError::Unusable { place: self.place(), reason }
    }
}

impl fmt::Display for SqliteSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let synchronous = match self.synchronous {
            Synchronous::Normal => "normal",
            Synchronous::Full => "full",
        };
        write!(out, "sqlite:{}?synchronous={synchronous}", self.path.display())
    }
}

/// A call on its way to the thread that owns the connection.
enum Command {
    Prepare { stream: StreamKey, table: TableSchema, epoch: Epoch, reply: Reply<Option<Checkpoint>> },
    Write { batch: TableBatch, resume: Box<Checkpoint>, epoch: Epoch, reply: Reply<Written> },
    Read { after: Option<String>, columns: Vec<usize>, reply: Reply<Held> },
    Close { reply: Reply<()> },
}

type Reply<T> = oneshot::Sender<Result<T, DestinationError>>;

/// Writes one stream into one table of a SQLite file; see the [module](self).
pub struct SqliteDestination {
    place: String,
    commands: mpsc::Sender<Command>,
}

impl SqliteDestination {
    /// Starts the thread; the file is opened by the first `prepare`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(settings: SqliteSettings) -> Result<Self, DestinationError> {
        let place = settings.place();
        let (commands, queue) = mpsc::channel(1);
        thread::Builder::new()
            .name("sqlite-writer".to_owned())
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

impl Destination for SqliteDestination {
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

/// The thread: one call after the other, until the destination is closed or dropped.
fn serve(settings: SqliteSettings, mut queue: mpsc::Receiver<Command>) {
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
