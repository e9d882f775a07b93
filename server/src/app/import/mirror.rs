//! What a run tells while it works: to the control store, and to whoever watches.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use salesforce::{Client, Timestamp};
use sync::{
    checkpoint::{Checkpoint, Position},
    mapping::RejectedRow,
    read::Phase,
    run::{self, Counts, Judged, ProgressError},
};

use super::{App, RunEvent, Watcher, execute::OpenRun};
use crate::{
    clock::SharedClock,
    store::{
        Store, StoreError,
        lease::Lease,
        runs::{Reading, Run, RunCounts, StageMillis, Unwritten},
        streams::Stream,
    },
};

/// The mirror of a run's progress is written no more often than this.
const MIRROR_EVERY_MILLIS: i64 = 1000;
/// A run keeps at most this many of the values that fit no type; all are counted.
const KEPT_VALUES: u64 = 1000;
/// A stream keeps at most this many of its rejected records; all are counted.
const KEPT_ROWS: usize = 10_000;

/// Mirrors a run's progress in the control store, keeps the list of rejected records, and tells the watcher.
pub(in crate::app) struct Mirror {
    store: Arc<Store>,
    clock: SharedClock,
    stream: Stream,
    run: Run,
    lease: Lease,
    watcher: Arc<dyn Watcher>,
    client: Client,
    state: Mutex<Mirrored>,
}

struct Mirrored {
    counts: Counts,
    reading: Reading,
    kept_values: u64,
    saved_at: Timestamp,
    list: List,
}

/// The stream's rejected records, as this run changes them.
#[derive(Default)]
struct List {
    /// The Ids that are on it.
    ids: HashSet<String>,
    /// Those of them that this run has read.
    read: HashSet<String>,
    /// Those that have become rows, or were deleted: they leave once that is durable.
    settled: Vec<String>,
}

impl List {
    /// Takes in what became of a batch; returns the rejected records that there is room for.
    fn note<'a>(&mut self, judged: Judged<'a>) -> Vec<&'a RejectedRow> {
        let rejected: HashSet<&str> = judged.rejected.iter().map(|row| row.id.as_str()).collect();
        if !self.ids.is_empty() {
            for id in judged.ids.iter().flatten().filter(|id| !rejected.contains(id)) {
                if self.ids.remove(id) {
                    self.settled.push(id.to_owned());
                }
            }
        }
        let mut kept = Vec::new();
        for row in judged.rejected {
            if self.ids.len() < KEPT_ROWS || self.ids.contains(&row.id) {
                self.ids.insert(row.id.clone());
                self.read.insert(row.id.clone());
                kept.push(row);
            }
        }
        kept
    }

    /// What a whole reading has not named is gone.
    fn settle_unread(&mut self) {
        let read = &self.read;
        self.settled.extend(self.ids.extract_if(|id| !read.contains(id)));
    }
}

impl Mirror {
    pub(in crate::app) async fn open(
        app: &App,
        stream: &Stream,
        open: &OpenRun,
        watcher: &Arc<dyn Watcher>,
        client: &Client,
    ) -> Result<Self, StoreError> {
        let list = List { ids: app.store.rejected_ids(&stream.id).await?, ..List::default() };
        Ok(Self {
            store: Arc::clone(&app.store),
            clock: app.clock.clone(),
            stream: stream.clone(),
            run: open.record.clone(),
            lease: open.lease.clone(),
            watcher: Arc::clone(watcher),
            client: client.clone(),
            state: Mutex::new(Mirrored {
                counts: Counts::default(),
                reading: Reading::default(),
                kept_values: 0,
                saved_at: Timestamp(0),
                list,
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, Mirrored> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a run that failed.
    pub(in crate::app) fn so_far(&self) -> (Counts, Reading) {
        let state = self.state();
        (state.counts, state.reading)
    }

    /// The records that leave the list with the end of the run. `is_whole`: the run has read everything there is.
    pub(in crate::app) fn settled(&self, is_whole: bool) -> Vec<String> {
        let list = &mut self.state().list;
        if is_whole {
            list.settle_unread();
        }
        std::mem::take(&mut list.settled)
    }

    /// How many of these values are kept, and the ordinal of the first of them within the run.
    fn room(state: &mut Mirrored, values: usize) -> (u64, usize) {
        let first = state.kept_values;
        let kept = values.min(usize::try_from(KEPT_VALUES - first).unwrap_or(usize::MAX));
        state.kept_values += kept as u64;
        (first, kept)
    }

    /// The records that leave the list, when progress is to be written now: the last time was not just before, it is the
    /// end, or something leaves.
    fn due(&self, resume: &Checkpoint, counts: Counts) -> Option<Vec<String>> {
        let mut state = self.state();
        state.counts = counts;
        state.reading.window = Some(resume.window);
        let now = self.clock.now();
        let is_old = now.0 - state.saved_at.0 >= MIRROR_EVERY_MILLIS;
        if !is_old && resume.at != Position::Complete && state.list.settled.is_empty() {
            return None;
        }
        state.saved_at = now;
        Some(std::mem::take(&mut state.list.settled))
    }
}

impl run::Progress for Mirror {
    fn phase(&self, phase: Phase) {
        if let Phase::Reading { mode, .. } = &phase {
            self.state().reading.mode = Some(*mode);
        }
        self.watcher.event(RunEvent::Phase { stream: &self.stream, phase });
    }

    fn keep<'a>(&'a self, judged: Judged<'a>) -> BoxFuture<'a, Result<(), ProgressError>> {
        async move {
            let (rows, first_value, values) = {
                let mut state = self.state();
                let (first, kept) = Self::room(&mut state, judged.misfits.len());
                (state.list.note(judged), first, judged.misfits.get(..kept).unwrap_or(judged.misfits))
            };
            if rows.is_empty() && values.is_empty() {
                return Ok(());
            }
            let rows: Vec<RejectedRow> = rows.into_iter().cloned().collect();
            let unwritten = Unwritten { values, first_value, rows: &rows };
            self.store.keep_unwritten(&self.run, unwritten, &self.lease).await.map_err(not_kept)
        }
        .boxed()
    }

    fn save<'a>(&'a self, resume: &'a Checkpoint, counts: Counts) -> BoxFuture<'a, Result<(), ProgressError>> {
        let usage = self.client.usage();
        self.watcher.event(RunEvent::Progress {
            stream: &self.stream,
            counts,
            org_used: usage.org_used,
            org_max: usage.org_max,
        });
        async move {
            let Some(settled) = self.due(resume, counts) else { return Ok(()) };
            let saved = self.store.save_run_progress(&self.run, &stored(counts), resume, &settled, &self.lease).await;
            saved.map_err(not_kept)
        }
        .boxed()
    }
}

pub(in crate::app) fn not_kept(error: StoreError) -> ProgressError {
    ProgressError { reason: error.to_string() }
}

/// Counts as the control store keeps them.
pub(in crate::app) fn stored(counts: Counts) -> RunCounts {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    RunCounts {
        read: counts.read,
        rows: counts.rows,
        deleted_rows: counts.deletes,
        swept_rows: counts.swept,
        patched_rows: counts.patched,
        matched_rows: counts.matched,
        unmatched_rows: counts.unmatched,
        ambiguous_rows: counts.ambiguous,
        rejected_rows: counts.rejected,
        rejected_values: counts.misfits,
        read_bytes: counts.wire_bytes,
        api_calls: counts.api_calls,
        // Known when the run ends.
        bulk_jobs: 0,
        stages: StageMillis {
            waiting: millis(counts.stages.waiting),
            reading: millis(counts.stages.reading),
            mapping: millis(counts.stages.mapping),
            writing: millis(counts.stages.writing),
        },
    }
}
