//! Rows in a PostgreSQL database, 13 or newer.
//!
//! A batch goes by binary COPY into a temporary table, typed as the columns are, and from there into the table by one
//! statement. Rows, checkpoint and the check of the epoch are one transaction. Each stream that runs has a connection.
//!
//! What a table looks like:
//!
//! | Orgtide's type | PostgreSQL's type |
//! |---|---|
//! | text | `text`; the id column and `_connection` with the collation `C` |
//! | boolean, integer, decimal | `boolean`, `bigint`, `numeric` |
//! | date, timestamp, time of day | `date`, `timestamptz`, `time` |
//! | JSON | `jsonb` |
//!
//! PostgreSQL's text cannot hold a NUL: U+FFFD stands in its place, and the log says so.
//!
//! `_connection` comes first and is part of the key (`_connection`, record id); `_deleted` is there when deletes are
//! flagged. Names keep their case, and longer ones than 63 bytes end in a hash ([`identifier`]).
//!
//! A table widens by itself: columns are added, and a column whose field has another type now takes the type that holds
//! both, which is `text` for most. Nothing becomes narrower, and columns that the mapping no longer names stay, with the
//! values they had. A column that somebody has dropped is made again, and its values are read again.

mod checkpoints;
mod column;
mod copy;
mod fault;
pub(crate) mod foresee;
pub(crate) mod links;
mod matcher;
mod name;
mod password;
mod rows;
mod schema;
mod session;
mod settings;
mod statements;
mod tls;
mod writer;

use futures_util::{FutureExt, future::BoxFuture};
use sync::{
    checkpoint::{Checkpoint, Epoch},
    destination::{Destination, DestinationError, Written},
    table::{Held, StreamKey, TableBatch, TableSchema},
};

pub(crate) use self::rows::{columns, count, hand_over, may_remove, remove};
pub use self::{name::identifier, settings::PostgresSettings};
use self::{schema::Target, session::Session, writer::Stream};

/// Times that a batch is written again when the server undoes it for the sake of another transaction.
const COLLISIONS: usize = 5;

/// Writes one stream into one table of a PostgreSQL database; see the [module](self).
pub struct PostgresDestination {
    settings: PostgresSettings,
    session: Option<Session>,
    stream: Option<(Target, Stream)>,
}

impl PostgresDestination {
    /// A connection is made by the first `prepare`, and another one by a later `prepare` when it was lost.
    pub fn new(settings: PostgresSettings) -> Self {
        Self { settings, session: None, stream: None }
    }

    async fn session(&mut self) -> Result<&mut Session, DestinationError> {
        let open = match self.session.take() {
            Some(session) if !session.is_closed() => session,
            Some(_) | None => Session::open(&self.settings).await?,
        };
        Ok(self.session.insert(open))
    }
}

fn unprepared(settings: &PostgresSettings) -> DestinationError {
    let reason = "it was used before the table was prepared".to_owned();
    DestinationError::Other { place: settings.place(), reason }
}

impl PostgresSettings {
    /// The table of a stream's rows, with its schema.
    pub(crate) fn table_name(&self, stream: &StreamKey) -> String {
        self.target(stream).name()
    }

    /// Where a stream's rows are.
    fn target(&self, stream: &StreamKey) -> Target {
        Target {
            place: self.place(),
            schema: self.schema_of(&stream.connection),
            table: self.table_of(&stream.connection, &stream.table),
        }
    }
}

impl Destination for PostgresDestination {
    fn prepare<'a>(
        &'a mut self,
        stream: &'a StreamKey,
        table: &'a TableSchema,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, DestinationError>> {
        async move {
            self.stream = None;
            let target = self.settings.target(stream);
            let session = self.session().await?;
            let mut collisions = 0;
            let (ready, checkpoint) = loop {
                match writer::prepare(session, target.clone(), stream, table, epoch).await {
                    Err(fault) if fault.is_collision() && collisions < COLLISIONS => collisions += 1,
                    Err(fault) => {
                        session.settle().await;
                        return Err(fault.resolve(&target));
                    }
                    Ok(prepared) => break prepared,
                }
            };
            self.stream = Some((target, ready));
            Ok(checkpoint)
        }
        .boxed()
    }

    fn write<'a>(
        &'a mut self,
        batch: TableBatch,
        resume: &'a Checkpoint,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Written, DestinationError>> {
        async move {
            let (Some(session), Some((target, stream))) = (self.session.as_mut(), self.stream.as_mut()) else {
                return Err(unprepared(&self.settings));
            };
            let mut collisions = 0;
            loop {
                match writer::write(session, stream, &batch, resume, epoch).await {
                    Err(fault) if fault.is_collision() && collisions < COLLISIONS => collisions += 1,
                    Err(fault) => {
                        session.settle().await;
                        return Err(fault.resolve(target));
                    }
                    Ok(written) => {
                        stream.committed();
                        return Ok(written);
                    }
                }
            }
        }
        .boxed()
    }

    fn read<'a>(
        &'a mut self,
        after: Option<&'a str>,
        columns: &'a [usize],
    ) -> BoxFuture<'a, Result<Held, DestinationError>> {
        async move {
            let (Some(session), Some((target, stream))) = (self.session.as_mut(), self.stream.as_ref()) else {
                return Err(unprepared(&self.settings));
            };
            let read = writer::read(session, stream, after, columns).await;
            session.settle().await;
            read.map_err(|fault| fault.resolve(target))
        }
        .boxed()
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), DestinationError>> {
        async move {
            if let Some(session) = self.session {
                session.close().await;
            }
            Ok(())
        }
        .boxed()
    }
}
