//! Destinations of a staged import: one that keeps rows instead of writing them, and one that shows what it writes.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use serde_json::Value;
use sync::{
    checkpoint::{Checkpoint, Epoch},
    destination::{Destination, DestinationError, Written},
    shown,
    table::{Held, StreamKey, TableBatch, TableSchema},
};

use crate::store::{Store, StoreError, lease::Lease, staged::StageStep, streams::Stream};

/// A stage keeps at most this many of the rows that are ready; all are counted.
const KEPT_READY: u64 = 100_000;

/// Keeps the rows that are ready in the control store, sealed, with the place from which staging goes on.
pub(super) struct StageTarget {
    store: Arc<Store>,
    stream: Stream,
    lease: Lease,
    /// All records are read; otherwise certain ones, and the place stays as it is.
    is_whole: bool,
    state: Option<Prepared>,
}

struct Prepared {
    table: TableSchema,
    checkpoint: Option<Checkpoint>,
    kept: u64,
}

impl StageTarget {
    /// For a reading of everything.
    pub(super) fn whole(store: &Arc<Store>, stream: &Stream, lease: &Lease) -> Self {
        Self { store: Arc::clone(store), stream: stream.clone(), lease: lease.clone(), is_whole: true, state: None }
    }

    /// For a reading of certain records.
    pub(super) fn part(store: &Arc<Store>, stream: &Stream, lease: &Lease) -> Self {
        Self { is_whole: false, ..Self::whole(store, stream, lease) }
    }

    fn refused(&self, error: StoreError) -> DestinationError {
        let (place, reason) = (self.store.place().to_owned(), error.to_string());
        match error {
            StoreError::Full { .. } => DestinationError::Full { place, reason },
            StoreError::Unreachable { .. } => DestinationError::Unreachable { place, reason },
            _ => DestinationError::Other { place, reason },
        }
    }

    async fn begin(&mut self, table: &TableSchema) -> Result<Option<Checkpoint>, StoreError> {
        if let Some(prepared) = &mut self.state {
            prepared.table = table.clone();
            return Ok(prepared.checkpoint.clone());
        }
        let resumed = match self.is_whole {
            true => self.store.resume_stage(&self.stream, &self.lease).await?,
            false => None,
        };
        let stage = self.store.stage(&self.stream.id).await?;
        let kept = stage.as_ref().map_or(0, |stage| stage.counts.ready);
        let checkpoint = if self.is_whole { resumed } else { stage.and_then(|stage| stage.checkpoint) };
        self.state = Some(Prepared { table: table.clone(), checkpoint: checkpoint.clone(), kept });
        Ok(checkpoint)
    }

    async fn keep(&mut self, batch: TableBatch, resume: &Checkpoint) -> Result<(), StoreError> {
        let Some(prepared) = &mut self.state else { return Ok(()) };
        let table = &prepared.table;
        let key = &table.columns[table.id].name;
        let mut ready = Vec::new();
        let mut only_counted = 0;
        for index in 0..batch.upserts.num_rows() {
            if self.is_whole && prepared.kept >= KEPT_READY {
                only_counted += 1;
                continue;
            }
            let row = shown::row(table, &batch.upserts, index);
            let id = row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            ready.push((id, Value::Object(row).to_string()));
            prepared.kept += 1;
        }
        let gone: Vec<String> = batch.deletes.into_iter().map(|deletion| deletion.id).collect();
        let checkpoint = self.is_whole.then_some(resume);
        let step = StageStep { ready: &ready, only_counted, gone: &gone, checkpoint };
        self.store.save_stage(&self.stream.id, &step, &self.lease).await?;
        prepared.checkpoint = Some(resume.clone());
        Ok(())
    }
}

impl Destination for StageTarget {
    fn prepare<'a>(
        &'a mut self,
        _stream: &'a StreamKey,
        table: &'a TableSchema,
        _epoch: Epoch,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, DestinationError>> {
        async move {
            let begun = self.begin(table).await;
            begun.map_err(|error| self.refused(error))
        }
        .boxed()
    }

    fn write<'a>(
        &'a mut self,
        batch: TableBatch,
        resume: &'a Checkpoint,
        _epoch: Epoch,
    ) -> BoxFuture<'a, Result<Written, DestinationError>> {
        async move {
            let kept = self.keep(batch, resume).await;
            kept.map(|()| Written::default()).map_err(|error| self.refused(error))
        }
        .boxed()
    }

    /// A stage is looked at by people alone.
    fn read<'a>(
        &'a mut self,
        _after: Option<&'a str>,
        _columns: &'a [usize],
    ) -> BoxFuture<'a, Result<Held, DestinationError>> {
        let (place, reason) = ("the stage".to_owned(), "its rows are not read back".to_owned());
        async { Err(DestinationError::Other { place, reason }) }.boxed()
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), DestinationError>> {
        async { Ok(()) }.boxed()
    }
}

/// Writes into another destination, and remembers the rows for people.
pub(super) struct Shown {
    target: Box<dyn Destination>,
    table: Option<TableSchema>,
    rows: Vec<Value>,
}

impl Shown {
    pub(super) fn new(target: Box<dyn Destination>) -> Self {
        Self { target, table: None, rows: Vec::new() }
    }

    /// Closes the destination, and gives the rows that it took.
    pub(super) async fn close(self) -> Result<Vec<Value>, DestinationError> {
        self.target.close().await?;
        Ok(self.rows)
    }
}

impl Destination for Shown {
    fn prepare<'a>(
        &'a mut self,
        stream: &'a StreamKey,
        table: &'a TableSchema,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Option<Checkpoint>, DestinationError>> {
        self.table = Some(table.clone());
        self.target.prepare(stream, table, epoch)
    }

    fn write<'a>(
        &'a mut self,
        batch: TableBatch,
        resume: &'a Checkpoint,
        epoch: Epoch,
    ) -> BoxFuture<'a, Result<Written, DestinationError>> {
        async move {
            let rows = batch.upserts.clone();
            let written = self.target.write(batch, resume, epoch).await?;
            if let Some(table) = &self.table {
                self.rows.extend((0..rows.num_rows()).map(|row| Value::Object(shown::row(table, &rows, row))));
            }
            Ok(written)
        }
        .boxed()
    }

    fn read<'a>(
        &'a mut self,
        after: Option<&'a str>,
        columns: &'a [usize],
    ) -> BoxFuture<'a, Result<Held, DestinationError>> {
        self.target.read(after, columns)
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), DestinationError>> {
        self.target.close()
    }
}
