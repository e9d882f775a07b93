//! The writing half of a run: rows and checkpoint into the destination, together.

use std::sync::Arc;

use arrow_array::{StringArray, cast::AsArray};
use salesforce::Client;
use tokio::sync::{mpsc, watch};

use super::{
    Judged, Outcome, Progress, RunError,
    giving_way::GivingWay,
    reading::{End, Handed},
    report::Report,
};
use crate::{
    checkpoint::{Checkpoint, Epoch, Position, Swept},
    destination::Destination,
    mapping::{CompiledMapping, Mapped},
    read::Piece,
    table::TableBatch,
};

/// What a reading is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leg {
    /// Changes, or everything.
    Window,
    /// Some columns of rows that are there.
    Fill,
}

impl Leg {
    /// Where this leg's reading goes on.
    pub(super) fn position(self, checkpoint: &Checkpoint) -> &Position {
        match (self, &checkpoint.backfill) {
            (Self::Fill, Some(fill)) => &fill.at,
            (Self::Fill, None) | (Self::Window, _) => &checkpoint.at,
        }
    }

    fn note(self, checkpoint: &mut Checkpoint, position: Position) {
        match (self, &mut checkpoint.backfill) {
            (Self::Fill, Some(fill)) => fill.at = position,
            (Self::Fill, None) | (Self::Window, _) => checkpoint.at = position,
        }
    }
}

/// Why nothing more is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drained {
    /// The reader has ended, well or not.
    Ended,
    /// Before that: somebody asked to stop, or others wait.
    Stopped(Outcome),
}

pub(super) struct Writing<'a> {
    pub(super) client: &'a Client,
    pub(super) mapping: &'a CompiledMapping,
    pub(super) destination: &'a mut dyn Destination,
    pub(super) progress: &'a dyn Progress,
    pub(super) epoch: Epoch,
    pub(super) leg: Leg,
    /// Its position moves on with each write.
    pub(super) checkpoint: Checkpoint,
    pub(super) giving_way: Arc<GivingWay>,
    pub(super) calls_before: u64,
    pub(super) report: &'a mut Report,
}

impl Writing<'_> {
    /// Writes what is handed over until the reader ends, or the run is to end before that.
    pub(super) async fn drain(
        &mut self,
        mut receiver: mpsc::Receiver<Handed>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Drained, RunError> {
        loop {
            tokio::select! {
                biased;
                () = asked_to_stop(&mut stop) => return Ok(Drained::Stopped(Outcome::Stopped)),
                () = self.giving_way.is_due() => return Ok(Drained::Stopped(Outcome::GaveWay)),
                handed = receiver.recv() => match handed {
                    Some(handed) => self.take(handed).await?,
                    None => return Ok(Drained::Ended),
                },
            }
        }
    }

    async fn take(&mut self, handed: Handed) -> Result<(), RunError> {
        match handed {
            Handed::Begun { as_of } => {
                // A window that is gone on with keeps its end: its first records were read then.
                if self.leg == Leg::Window && super::is_start(&self.checkpoint.at) {
                    self.checkpoint.window.until = as_of;
                }
                Ok(())
            }
            Handed::Piece { piece, mode, took } => {
                self.report.mode = Some(mode);
                self.report.counts.stages.reading += took;
                self.write(piece).await
            }
            Handed::Gone { deletions, took } => {
                self.report.counts.stages.reading += took;
                let mut mapped = self.nothing();
                mapped.rows.deletes = deletions;
                self.put(mapped).await
            }
        }
    }

    async fn write(&mut self, piece: Piece) -> Result<(), RunError> {
        let Piece { batch, resume, wire_bytes, waited } = piece;
        if let Some(resume) = resume {
            self.leg.note(&mut self.checkpoint, resume);
        }
        self.report.counts.wire_bytes += wire_bytes;
        self.report.counts.stages.waiting += waited;
        let mapped = match batch {
            Some(batch) => {
                let begun = self.client.timer().instant();
                let mut mapped = self.mapping.apply(&batch.records);
                self.report.counts.stages.mapping += self.client.timer().instant().saturating_duration_since(begun);
                self.report.counts.read += batch.records.num_rows() as u64;
                mapped.misfits.extend(batch.misfits);
                let nothing_whole = StringArray::new_null(0);
                let ids = match self.leg {
                    Leg::Window => batch.records.column(self.mapping.record_id).as_string(),
                    Leg::Fill => &nothing_whole,
                };
                self.progress.keep(Judged { ids, rejected: &mapped.rejected, misfits: &mapped.misfits }).await?;
                mapped
            }
            None => self.nothing(),
        };
        self.put(mapped).await
    }

    /// Saves that this leg has come to its end.
    pub(super) async fn save_complete(&mut self, ended: &End) -> Result<(), RunError> {
        let volatile = &self.mapping.volatile;
        let refreshed = &mut self.checkpoint.refreshed;
        refreshed.retain(|column, _| volatile.contains(column));
        match self.leg {
            Leg::Window => {
                self.checkpoint.at = Position::Complete;
                if self.checkpoint.window.from.is_none() {
                    let until = self.checkpoint.window.until;
                    (self.checkpoint.id_sweep, self.checkpoint.swept) = (None, Some(Swept::beginning(until)));
                    refreshed.extend(volatile.iter().map(|column| (column.clone(), until)));
                }
            }
            Leg::Fill => {
                let fill = self.checkpoint.backfill.take();
                let filled = fill.and_then(|fill| Some((fill.columns, fill.began?)));
                if let Some((columns, began)) = filled {
                    let columns = columns.into_iter().filter(|column| volatile.contains(column));
                    refreshed.extend(columns.map(|column| (column, began)));
                }
            }
        }
        if let End::Whole { settled: Some(settled) } = ended {
            self.checkpoint.settled = Some(*settled);
        }
        self.put(self.nothing()).await
    }

    async fn put(&mut self, mapped: Mapped) -> Result<(), RunError> {
        let Mapped { rows, rejected, misfits } = mapped;
        let counts = &mut self.report.counts;
        counts.rows += rows.upserts.num_rows() as u64;
        counts.patched += rows.patch.as_ref().map_or(0, |patch| patch.rows.num_rows() as u64);
        counts.deletes += rows.deletes.len() as u64;
        counts.misfits += misfits.len() as u64;
        counts.rejected += rejected.len() as u64;
        let begun = self.client.timer().instant();
        counts.add(self.destination.write(rows, &self.checkpoint, self.epoch).await?);
        self.giving_way.reached(self.leg.position(&self.checkpoint));
        counts.stages.writing += self.client.timer().instant().saturating_duration_since(begun);
        counts.api_calls = self.client.usage().calls.saturating_sub(self.calls_before);
        self.progress.save(&self.checkpoint, *counts).await?;
        Ok(())
    }

    fn nothing(&self) -> Mapped {
        let rows = TableBatch::empty(&self.mapping.table);
        Mapped { rows, rejected: Vec::new(), misfits: Vec::new() }
    }
}

/// Completes when a stop is asked for; never when nobody can ask any more.
pub(super) async fn asked_to_stop(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
