//! What a run tells while it works: to the control store, and to whoever watches.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{FutureExt, future::BoxFuture};
use salesforce::{Client, Timestamp};
use sync::{
    checkpoint::{Checkpoint, Position},
    read::Phase,
    run::{self, Counts, Judged, ProgressError},
};

use super::{App, RunEvent, Watcher};
use crate::{
    clock::SharedClock,
    store::{
        Store, StoreError,
        lease::Lease,
        runs::{Run, RunCounts},
        streams::Stream,
    },
};

/// The mirror of a run's progress is written no more often than this.
const MIRROR_EVERY_MILLIS: i64 = 1000;
/// A run keeps at most this many of the values it rejects; all are counted.
const KEPT_REJECTED: u64 = 1000;

/// Mirrors a run's progress in the control store, and tells the watcher.
pub(super) struct Mirror {
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
    kept: u64,
    saved_at: Timestamp,
}

impl Mirror {
    pub(super) fn new(
        app: &App,
        stream: &Stream,
        run: &Run,
        lease: &Lease,
        watcher: &Arc<dyn Watcher>,
        client: &Client,
    ) -> Self {
        Self {
            store: Arc::clone(&app.store),
            clock: app.clock.clone(),
            stream: stream.clone(),
            run: run.clone(),
            lease: lease.clone(),
            watcher: Arc::clone(watcher),
            client: client.clone(),
            state: Mutex::new(Mirrored { counts: Counts::default(), kept: 0, saved_at: Timestamp(0) }),
        }
    }

    pub(super) fn last_counts(&self) -> Counts {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).counts
    }

    /// How many of these values are kept, and the ordinal of the first of them within the run.
    fn room(&self, misfits: usize) -> (u64, usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = state.kept;
        let kept = misfits.min(usize::try_from(KEPT_REJECTED - first).unwrap_or(usize::MAX));
        state.kept += kept as u64;
        (first, kept)
    }

    /// True when progress is to be written now: the last time was not just before, or it is the end.
    fn is_due(&self, resume: &Checkpoint, counts: Counts) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.counts = counts;
        let now = self.clock.now();
        let is_due = now.0 - state.saved_at.0 >= MIRROR_EVERY_MILLIS || resume.at == Position::Complete;
        if is_due {
            state.saved_at = now;
        }
        is_due
    }
}

impl run::Progress for Mirror {
    fn phase(&self, phase: Phase) {
        self.watcher.event(RunEvent::Phase { stream: &self.stream, phase });
    }

    fn keep<'a>(&'a self, judged: Judged<'a>) -> BoxFuture<'a, Result<(), ProgressError>> {
        async move {
            let (first, kept) = self.room(judged.misfits.len());
            if kept == 0 {
                return Ok(());
            }
            let misfits = judged.misfits.get(..kept).unwrap_or(judged.misfits);
            self.store.keep_rejected_values(&self.run, misfits, first, &self.lease).await.map_err(not_kept)
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
            if !self.is_due(resume, counts) {
                return Ok(());
            }
            self.store.save_run_progress(&self.run, &stored(counts), resume, &self.lease).await.map_err(not_kept)
        }
        .boxed()
    }
}

fn not_kept(error: StoreError) -> ProgressError {
    ProgressError { reason: error.to_string() }
}

/// Counts as the control store keeps them.
pub(super) fn stored(counts: Counts) -> RunCounts {
    RunCounts {
        rows: counts.rows,
        deleted_rows: counts.deletes,
        rejected_values: counts.misfits,
        read_bytes: counts.wire_bytes,
        api_calls: counts.api_calls,
    }
}
