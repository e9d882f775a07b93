//! What a run tells while it works: to the control store, and to whoever watches.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{FutureExt, future::BoxFuture};
use salesforce::{Client, Timestamp};
use sync::{
    batch::Misfit,
    checkpoint::{Checkpoint, Position},
    mapping::RejectedRow,
    read::Phase,
    run::{self, Counts, ProgressError},
};

use super::{App, RunEvent, Watcher};
use crate::{
    clock::SharedClock,
    store::{
        Store,
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

    /// What of this progress is to be written now: the ordinal of its first kept value and how many of them; `None`
    /// when the last write is too recent and nothing would be lost.
    fn due(&self, resume: &Checkpoint, counts: Counts, misfits: usize) -> Option<(u64, usize)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.counts = counts;
        let now = self.clock.now();
        let is_old = now.0 - state.saved_at.0 >= MIRROR_EVERY_MILLIS;
        if misfits == 0 && !is_old && resume.at != Position::Complete {
            return None;
        }
        let first = state.kept;
        let room = usize::try_from(KEPT_REJECTED - first).unwrap_or(usize::MAX);
        let kept = misfits.min(room);
        state.kept += kept as u64;
        state.saved_at = now;
        Some((first, kept))
    }
}

impl run::Progress for Mirror {
    fn phase(&self, phase: Phase) {
        self.watcher.event(RunEvent::Phase { stream: &self.stream, phase });
    }

    fn save<'a>(
        &'a self,
        resume: &'a Checkpoint,
        counts: Counts,
        misfits: &'a [Misfit],
        _rejected: &'a [RejectedRow],
    ) -> BoxFuture<'a, Result<(), ProgressError>> {
        let usage = self.client.usage();
        self.watcher.event(RunEvent::Progress {
            stream: &self.stream,
            counts,
            org_used: usage.org_used,
            org_max: usage.org_max,
        });
        async move {
            let Some((first, kept)) = self.due(resume, counts, misfits.len()) else { return Ok(()) };
            let misfits = misfits.get(..kept).unwrap_or(misfits);
            self.store
                .save_run_progress(&self.run, &stored(counts), Some(resume), misfits, first, &self.lease)
                .await
                .map_err(|error| ProgressError { reason: error.to_string() })
        }
        .boxed()
    }
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
