//! The loop: read, map, write. One for the first load and for every later one.
//!
//! A run covers a window of changes ([`run`]), and then fills the columns that are new in rows that were there before.
//! Where it begins is decided in `start`; `reading` and `writing` are the two halves that work at the same time. What the org
//! has calls to spare for comes last: columns that change unnoticed are read again, and `id_sweep` looks for rows whose
//! records are gone.

mod giving_way;
mod id_sweep;
mod reading;
mod report;
mod start;
mod writing;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use arrow_array::StringArray;
use futures_util::future::BoxFuture;
use salesforce::{Client, Timestamp, query::Deleted};
use tokio::sync::{mpsc, watch};

pub use self::report::{Counts, Deletions, IdSweepReport, Outcome, ProgressError, Report, RunError, Stages};
use self::{
    giving_way::GivingWay,
    reading::{AbortOnDrop, End},
    start::Start,
    writing::{Drained, Leg, Writing},
};
use crate::{
    batch::Misfit,
    checkpoint::{Backfill, Checkpoint, Epoch, Position},
    destination::Destination,
    idle::is_idle,
    mapping::{CompiledMapping, RejectedRow},
    read::{IdRange, Listener, Phase, Question, ReadOptions, Span},
    table::{StreamKey, TableSchema},
};

/// Pieces that may wait between reading and writing, so that both cores work and memory stays bounded.
const HAND_OVER: usize = 1;

/// What one run needs.
pub struct Run<'a> {
    pub client: Client,
    /// Of the calls that the client has counted so many are of no concern to this run; the others are its own, also those
    /// that were made to prepare it.
    pub calls_before: u64,
    pub mapping: Arc<CompiledMapping>,
    pub stream: StreamKey,
    pub destination: &'a mut dyn Destination,
    pub progress: Arc<dyn Progress>,
    pub epoch: Epoch,
    pub options: RunOptions,
    /// Becomes true when the run is to end at the next place from which it can go on.
    pub stop: watch::Receiver<bool>,
    /// Becomes true when others wait for what the run takes up: it ends at the next place from which it can go on, once it
    /// has come further than where it began. Readings that would begin anew take no notice of it. `None`: nobody asks.
    pub give_way: Option<watch::Receiver<bool>>,
}

/// How a run reads.
#[derive(Debug, Clone, Copy)]
pub struct RunOptions {
    pub read: ReadOptions,
    /// A window begins this much before the end of the last one: a transaction takes its stamps when it runs and
    /// shows its records when it commits, up to ten minutes later.
    pub overlap: Duration,
    /// getDeleted is asked no more often than this.
    pub deletions_every: Duration,
    /// Read everything, whatever was read before.
    pub full: bool,
    /// Columns whose values change without moving the record's stamp are read again; `None`: never.
    pub refresh: Option<Refresh>,
    /// Rows whose records are gone though nobody has said so are looked for; `None`: never.
    pub sweep: Option<Sweep>,
}

/// When columns are read again whose values change without moving the record's stamp.
#[derive(Debug, Clone, Copy)]
pub struct Refresh {
    /// No more often than this.
    pub every: Duration,
    /// Not begun while more of the org's daily API calls are used than this, in percent.
    pub below_percent: u64,
}

/// When rows are held against the Ids that the org has.
#[derive(Debug, Clone, Copy)]
pub struct Sweep {
    /// No more often than this.
    pub every: Duration,
    /// Nothing is read for it while more of the org's daily API calls are used than this, in percent.
    pub below_percent: u64,
    /// One run begins no further range after this time. What is left goes on in the next.
    pub turn: Duration,
    /// Rows that are held against the org at once: what memory holds of their keys, and what a crash repeats.
    pub range_rows: usize,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            read: ReadOptions::default(),
            overlap: Duration::from_secs(600),
            deletions_every: Duration::from_secs(3600),
            full: false,
            refresh: None,
            sweep: None,
        }
    }
}

/// Hears how a run goes on.
pub trait Progress: Send + Sync {
    /// Something else is happening now. Must return at once.
    fn phase(&self, phase: Phase);

    /// Keeps what becomes no row or no value, before the rows beside it are written: a crash in between repeats it, and
    /// loses nothing.
    fn keep<'a>(&'a self, judged: Judged<'a>) -> BoxFuture<'a, Result<(), ProgressError>>;

    /// Rows up to `resume` are durable in the destination. A mirror: the destination's own checkpoint wins.
    fn save<'a>(&'a self, resume: &'a Checkpoint, counts: Counts) -> BoxFuture<'a, Result<(), ProgressError>>;
}

/// Records that have been read and mapped, and what of them is not going to be written.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The Ids of all of them that were mapped whole: none when columns are filled.
    pub ids: &'a StringArray,
    pub rejected: &'a [RejectedRow],
    pub misfits: &'a [Misfit],
}

/// Brings one table up to date with one object.
///
/// A run that goes on where an earlier one stopped first completes the window that one had begun, and then covers what
/// has changed since: a run that completes leaves nothing behind that was there when it started. Columns that the mapping
/// has gained since rows were written are filled last, in those rows alone.
///
/// # Errors
/// Whatever stopped it; everything before the last saved checkpoint is durable. [`RunError::Outdated`] asks for a mapping
/// that is compiled against a new describe; a run with that goes on where this one stopped.
pub async fn run(mut run: Run<'_>) -> Result<Report, RunError> {
    let mut report = Report::new();
    let mut checkpoint = run.cover_window(&mut report).await?;
    if report.resumed && report.outcome == Outcome::Complete && run.mapping.limit.is_none() {
        run.options.full = false;
        checkpoint = run.cover_window(&mut report).await?;
        report.resumed = true;
    }
    if report.outcome == Outcome::Complete {
        checkpoint = run.with_refresh(checkpoint);
        checkpoint = run.fill_columns(&mut report, checkpoint).await?;
    }
    if report.outcome == Outcome::Complete {
        run.sweep_ids(&mut report, checkpoint).await?;
    }
    report.counts.api_calls = run.client.usage().calls.saturating_sub(run.calls_before);
    Ok(report)
}

impl Run<'_> {
    /// Reads what has changed, from where the last run ended or stopped, or everything. Returns the checkpoint that is
    /// stored now.
    async fn cover_window(&mut self, report: &mut Report) -> Result<Checkpoint, RunError> {
        loop {
            let start = self.prepare().await?;
            report.resumed = start.is_resumed;
            let question = self.question(&self.mapping, &start);
            let (outcome, ended, checkpoint) =
                self.read_and_write(report, Leg::Window, question, start.checkpoint).await?;
            report.window = checkpoint.window;
            report.outcome = outcome;
            report.deletions = match (&ended, start.deletions) {
                (Some(End::Whole { settled: Some(until) }), _) => Deletions::Known { until: *until },
                (Some(End::Refused { reason }), _) => Deletions::Unknown { reason: reason.clone() },
                (_, Some(_)) => Deletions::NotAsked,
                (_, None) => self.deletions_without_asking(),
            };
            match ended {
                // The org has forgotten deletions since the last look: only a whole reading shows what is gone.
                Some(End::Forgotten) => self.options.full = true,
                _ => return Ok(checkpoint),
            }
        }
    }

    /// The checkpoint with the columns to be filled that are due to be read again, where nothing else is to be filled and the
    /// org has calls to spare.
    fn with_refresh(&self, checkpoint: Checkpoint) -> Checkpoint {
        let Some(Refresh { every, below_percent }) = self.options.refresh else { return checkpoint };
        let now = checkpoint.window.until;
        let is_due = |column: &&String| {
            let age = |refreshed: &Timestamp| u128::try_from(now.0.saturating_sub(refreshed.0)).unwrap_or(0);
            checkpoint.refreshed.get(*column).is_none_or(|refreshed| age(refreshed) >= every.as_millis())
        };
        let columns: Vec<String> = self.mapping.volatile.iter().filter(is_due).cloned().collect();
        if columns.is_empty()
            || !is_idle(&self.client, below_percent)
            || checkpoint.backfill.is_some()
            || self.mapping.limit.is_some()
        {
            return checkpoint;
        }
        Checkpoint { backfill: Some(Backfill { columns, at: Position::Start, began: Some(now) }), ..checkpoint }
    }

    /// Fills columns in rows that were there before the mapping had them, or that are to be read again.
    async fn fill_columns(&mut self, report: &mut Report, checkpoint: Checkpoint) -> Result<Checkpoint, RunError> {
        let Some(fill) = &checkpoint.backfill else { return Ok(checkpoint) };
        let columns: BTreeSet<String> = fill.columns.iter().cloned().collect();
        let Some(mapping) = self.mapping.only(&columns).map(Arc::new) else { return Ok(checkpoint) };
        let question = Question {
            mapping: Arc::clone(&mapping),
            from: None,
            // Rows of deleted records stay, and have the column as well.
            deleted: Deleted::Included,
            deletions: None,
            ..self.question_of(&mapping)
        };
        let whole = std::mem::replace(&mut self.mapping, mapping);
        let filled = self.read_and_write(report, Leg::Fill, question, checkpoint).await;
        self.mapping = whole;
        let (outcome, _, checkpoint) = filled?;
        report.outcome = outcome;
        Ok(checkpoint)
    }

    /// Makes the table ready and decides where to begin.
    ///
    /// A table that is going to be swept needs a mark on its rows, which the destination is told before anything is
    /// written; whether it is going to be is known when the destination has said where the last run ended.
    async fn prepare(&mut self) -> Result<Start, RunError> {
        let now = self.client.org_time().await?;
        let mut table = self.mapping.table.clone();
        loop {
            let stored = self.destination.prepare(&self.stream, &table, self.epoch).await?;
            let start = Start::after(stored, &self.mapping, &self.options, self.epoch, self.client.version(), now);
            if start.checkpoint.sweep.is_none() || table.sweeps {
                return Ok(start);
            }
            table = TableSchema { sweeps: true, ..table };
        }
    }

    fn question(&self, mapping: &Arc<CompiledMapping>, start: &Start) -> Question {
        let deleted = if start.checkpoint.with_deleted { Deleted::Included } else { Deleted::Excluded };
        let deletions: Option<Span> = start.deletions;
        Question { from: start.checkpoint.window.from, deleted, deletions, ..self.question_of(mapping) }
    }

    fn question_of(&self, mapping: &Arc<CompiledMapping>) -> Question {
        let progress = Arc::clone(&self.progress);
        let listener: Listener = Arc::new(move |phase| progress.phase(phase));
        Question {
            client: self.client.clone(),
            mapping: Arc::clone(mapping),
            from: None,
            range: IdRange::default(),
            deleted: Deleted::Excluded,
            deletions: None,
            listener,
        }
    }

    /// Reads in a task of its own while this one writes what it hands over.
    async fn read_and_write(
        &mut self,
        report: &mut Report,
        leg: Leg,
        question: Question,
        checkpoint: Checkpoint,
    ) -> Result<(Outcome, Option<End>, Checkpoint), RunError> {
        let (sender, receiver) = mpsc::channel(HAND_OVER);
        let at = leg.position(&checkpoint).clone();
        let giving_way = GivingWay::new(self.give_way.clone(), at.clone(), &self.mapping);
        let question = giving_way.hearing(question);
        let reading = reading::read(question, at, checkpoint.api, self.options.read, sender);
        let reading = AbortOnDrop(tokio::spawn(reading));
        let mut writing = Writing {
            client: &self.client,
            mapping: &self.mapping,
            destination: &mut *self.destination,
            progress: &*self.progress,
            epoch: self.epoch,
            leg,
            checkpoint,
            giving_way,
            calls_before: self.calls_before,
            report,
        };
        match writing.drain(receiver, self.stop.clone()).await? {
            Drained::Stopped(outcome) => Ok((outcome, None, writing.checkpoint)),
            Drained::Ended => {
                let ended = reading.join().await.map_err(|error| RunError::read(&self.mapping.object, error))?;
                if ended != End::Forgotten {
                    writing.save_complete(&ended).await?;
                }
                Ok((Outcome::Complete, Some(ended), writing.checkpoint))
            }
        }
    }

    fn deletions_without_asking(&self) -> Deletions {
        match start::deletions_are_known(&self.mapping) {
            true => Deletions::NotAsked,
            false => Deletions::Unknown { reason: start::why_unknown(&self.mapping) },
        }
    }
}

/// True when nothing of the window is read yet.
fn is_start(at: &Position) -> bool {
    matches!(at, Position::Start)
}
