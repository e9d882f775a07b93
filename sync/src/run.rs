//! The loop: read, map, write. One for the first load and for every later one.

use std::{sync::Arc, time::Duration};

use arrow_array::{StringArray, cast::AsArray};
use futures_util::future::BoxFuture;
use salesforce::{ApiError, Client, Recovery, Timestamp, query::Deleted};
use tokio::sync::{mpsc, watch};

use crate::{
    batch::Misfit,
    checkpoint::{Checkpoint, Epoch, Position, Window},
    destination::{Destination, DestinationError, Written},
    mapping::{CompiledMapping, Mapped, RejectedRow},
    read::{Listener, Phase, Piece, Question, ReadError, ReadMode, ReadOptions, Reader},
    table::{StreamKey, TableBatch},
};

/// Pieces that may wait between reading and writing, so that both cores work and memory stays bounded.
const HAND_OVER: usize = 1;

/// What one run needs.
pub struct Run<'a> {
    pub client: Client,
    pub mapping: Arc<CompiledMapping>,
    pub stream: StreamKey,
    pub destination: &'a mut dyn Destination,
    pub progress: Arc<dyn Progress>,
    pub epoch: Epoch,
    pub options: RunOptions,
    /// Becomes true when the run is to end at the next place from which it can go on.
    pub stop: watch::Receiver<bool>,
}

/// How a run reads.
#[derive(Debug, Clone, Copy)]
pub struct RunOptions {
    pub read: ReadOptions,
    /// A window begins this much before the end of the last one: a transaction takes its stamps when it runs and
    /// shows its records when it commits, up to ten minutes later.
    pub overlap: Duration,
    /// Read everything, whatever was read before.
    pub full: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { read: ReadOptions::default(), overlap: Duration::from_secs(600), full: false }
    }
}

/// What a run has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records written, whether or not they changed anything.
    pub rows: u64,
    pub deletes: u64,
    /// Rows deleted because a whole reading did not name them any more.
    pub swept: u64,
    /// Records that stand for a row of the table that is matched with; for none; for several.
    pub matched: u64,
    pub unmatched: u64,
    pub ambiguous: u64,
    /// Records that became no row.
    pub rejected: u64,
    pub misfits: u64,
    /// Bytes of record data received, after inflating.
    pub wire_bytes: u64,
    /// API calls of this run that count against the org's quota.
    pub api_calls: u64,
}

impl Counts {
    fn add(&mut self, Written { swept, matched, unmatched, ambiguous }: Written) {
        self.swept += swept;
        self.matched += matched;
        self.unmatched += unmatched;
        self.ambiguous += ambiguous;
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
    /// The Ids of all of them.
    pub ids: &'a StringArray,
    pub rejected: &'a [RejectedRow],
    pub misfits: &'a [Misfit],
}

/// Progress could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("the control store did not take the run's progress: {reason}")]
pub struct ProgressError {
    pub reason: String,
}

/// How a run ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The window is there, whole.
    Complete,
    /// Stopped when asked to; the next run goes on from here.
    Stopped,
}

/// What a run did.
#[derive(Debug, Clone)]
pub struct Report {
    pub outcome: Outcome,
    pub window: Window,
    /// `None`: the run stopped before anything was read.
    pub mode: Option<ReadMode>,
    /// The run went on where an earlier one had stopped.
    pub resumed: bool,
    pub counts: Counts,
}

/// Why a run failed. What it had written stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Destination(#[from] DestinationError),
    #[error(transparent)]
    Progress(#[from] ProgressError),
}

impl RunError {
    /// What cures it.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Api(error) => error.recovery(),
            Self::Read(error) => error.recovery(),
            Self::Destination(error) => error.recovery(),
            Self::Progress(_) => Recovery::Retry { after: None },
        }
    }
}

/// Brings one table up to date with one object.
///
/// A run that goes on where an earlier one stopped first completes the window that one had begun, and then covers what
/// has changed since: a run that completes leaves nothing behind that was there when it started.
///
/// # Errors
/// Whatever stopped it; everything before the last saved checkpoint is durable.
pub async fn run(mut run: Run<'_>) -> Result<Report, RunError> {
    let calls_before = run.client.usage().calls;
    let first = cover_window(&mut run, Counts::default(), calls_before).await?;
    if !first.resumed || first.outcome == Outcome::Stopped || run.mapping.limit.is_some() {
        return Ok(first);
    }
    run.options.full = false;
    let second = cover_window(&mut run, first.counts, calls_before).await?;
    Ok(Report { resumed: true, mode: second.mode.or(first.mode), ..second })
}

async fn cover_window(run: &mut Run<'_>, counts: Counts, calls_before: u64) -> Result<Report, RunError> {
    let Run { client, mapping, stream, destination, progress, epoch, options, stop } = run;
    let stored = destination.prepare(stream, &mapping.table, *epoch).await?;
    let now = client.server_time().await?;
    let start = starting_point(stored, mapping, client, options, now);
    let resumed = !matches!(start.at, Position::Start);

    let listener: Listener = {
        let progress = Arc::clone(progress);
        Arc::new(move |phase| progress.phase(phase))
    };
    let question = Question {
        client: client.clone(),
        mapping: Arc::clone(mapping),
        window: start.window,
        deleted: if start.with_deleted { Deleted::Included } else { Deleted::Excluded },
        listener,
    };
    let (sender, receiver) = mpsc::channel(HAND_OVER);
    let reading = AbortOnDrop(tokio::spawn(read(question, start.clone(), options.read, sender)));

    let mut writing = Writing {
        client,
        mapping,
        destination: &mut **destination,
        progress: &**progress,
        epoch: *epoch,
        question: start,
        counts,
        calls_before,
        mode: None,
    };
    let outcome = writing.drain(receiver, stop.clone()).await?;
    if outcome == Outcome::Complete {
        reading.join().await?;
        writing.save_complete().await?;
    }
    Ok(Report { outcome, window: writing.question.window, mode: writing.mode, resumed, counts: writing.counts })
}

/// Where this run begins: in the middle of the last one, after it, or with everything.
fn starting_point(
    stored: Option<Checkpoint>,
    mapping: &CompiledMapping,
    client: &Client,
    options: &RunOptions,
    now: Timestamp,
) -> Checkpoint {
    // Rows of an earlier reading may be of records that are deleted by now. A limited reading is a sample of what there
    // is, in which deleted records would take the place of others.
    let with_deleted = stored.is_some() && mapping.limit.is_none();
    let begin = |from| {
        let window = Window { from, until: now };
        Checkpoint { with_deleted, ..Checkpoint::new(window, mapping.asked.clone(), client.version(), Position::Start) }
    };
    match stored {
        // Another question was answered: a column, the filter, the limit changed.
        Some(checkpoint) if checkpoint.asked != mapping.asked => begin(None),
        Some(checkpoint) if options.full && checkpoint.window.from.is_some() => begin(None),
        Some(checkpoint) if checkpoint.at == Position::Complete => {
            let overlap = i64::try_from(options.overlap.as_millis()).unwrap_or(i64::MAX);
            let from = Timestamp(checkpoint.window.until.0.saturating_sub(overlap));
            begin(Some(from).filter(|_| mapping.cursor.is_some() && mapping.limit.is_none() && !options.full))
        }
        Some(checkpoint) => checkpoint,
        None => begin(None),
    }
}

/// What the reader hands over.
struct Handed {
    piece: Piece,
    mode: ReadMode,
}

async fn read(
    question: Question,
    start: Checkpoint,
    options: ReadOptions,
    sender: mpsc::Sender<Handed>,
) -> Result<(), ReadError> {
    let mut reader = Reader::open(question, &start, options).await?;
    let mode = reader.mode();
    while let Some(piece) = reader.next().await? {
        if sender.send(Handed { piece, mode }).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The writing half of a run.
struct Writing<'a> {
    client: &'a Client,
    mapping: &'a CompiledMapping,
    destination: &'a mut dyn Destination,
    progress: &'a dyn Progress,
    epoch: Epoch,
    /// The checkpoint; its position moves on with each write.
    question: Checkpoint,
    counts: Counts,
    calls_before: u64,
    mode: Option<ReadMode>,
}

impl Writing<'_> {
    /// Writes what is handed over until the reader ends or somebody asks to stop.
    async fn drain(
        &mut self,
        mut receiver: mpsc::Receiver<Handed>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Outcome, RunError> {
        loop {
            tokio::select! {
                biased;
                () = asked_to_stop(&mut stop) => return Ok(Outcome::Stopped),
                handed = receiver.recv() => match handed {
                    Some(handed) => self.write(handed).await?,
                    None => return Ok(Outcome::Complete),
                },
            }
        }
    }

    async fn write(&mut self, handed: Handed) -> Result<(), RunError> {
        let Piece { batch, resume, wire_bytes } = handed.piece;
        self.mode = Some(handed.mode);
        self.question.at = resume;
        self.counts.wire_bytes += wire_bytes;
        let mapped = match batch {
            Some(batch) => {
                let mut mapped = self.mapping.apply(&batch.records);
                mapped.misfits.extend(batch.misfits);
                let ids = batch.records.column(self.mapping.record_id).as_string();
                self.progress.keep(Judged { ids, rejected: &mapped.rejected, misfits: &mapped.misfits }).await?;
                mapped
            }
            None => self.nothing(),
        };
        self.put(mapped).await
    }

    async fn save_complete(&mut self) -> Result<(), RunError> {
        self.question.at = Position::Complete;
        self.put(self.nothing()).await
    }

    async fn put(&mut self, mapped: Mapped) -> Result<(), RunError> {
        let Mapped { rows, rejected, misfits } = mapped;
        self.counts.rows += rows.upserts.num_rows() as u64;
        self.counts.deletes += rows.deletes.len() as u64;
        self.counts.misfits += misfits.len() as u64;
        self.counts.rejected += rejected.len() as u64;
        let written = self.destination.write(rows, &self.question, self.epoch).await?;
        self.counts.add(written);
        self.counts.api_calls = self.client.usage().calls.saturating_sub(self.calls_before);
        self.progress.save(&self.question, self.counts).await?;
        Ok(())
    }

    fn nothing(&self) -> Mapped {
        let rows = TableBatch::empty(&self.mapping.table);
        Mapped { rows, rejected: Vec::new(), misfits: Vec::new() }
    }
}

/// Completes when a stop is asked for; never when nobody can ask any more.
async fn asked_to_stop(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The reader's task; ends with the run, however the run ends.
struct AbortOnDrop(tokio::task::JoinHandle<Result<(), ReadError>>);

impl AbortOnDrop {
    async fn join(mut self) -> Result<(), ReadError> {
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
