//! What staging tells while it works, and where the records that cannot be imported go.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{FutureExt, future::BoxFuture};
use sync::{
    checkpoint::Checkpoint,
    read::Phase,
    run::{self, Counts, Judged, ProgressError},
};

use super::{
    super::import::{RunEvent, Watcher, mirror::not_kept},
    App,
};
use crate::store::{Store, lease::Lease, streams::Stream};

/// A stage keeps at most this many of the records that cannot be imported; all are counted.
const KEPT_REJECTED: u64 = 100_000;

/// Keeps rejected records in the stage, and tells the watcher.
pub(super) struct StageProgress {
    store: Arc<Store>,
    stream: Stream,
    lease: Lease,
    watcher: Arc<dyn Watcher>,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    counts: Counts,
    kept: u64,
}

impl StageProgress {
    pub(super) fn new(app: &App, stream: &Stream, lease: &Lease, watcher: &Arc<dyn Watcher>) -> Self {
        Self {
            store: Arc::clone(&app.store),
            stream: stream.clone(),
            lease: lease.clone(),
            watcher: Arc::clone(watcher),
            told: Mutex::default(),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).counts
    }

    /// How many of these records there is room for.
    fn room(&self, rejected: usize) -> usize {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let room = rejected.min(usize::try_from(KEPT_REJECTED - told.kept).unwrap_or(usize::MAX));
        told.kept += room as u64;
        room
    }
}

impl run::Progress for StageProgress {
    fn phase(&self, phase: Phase) {
        self.watcher.event(RunEvent::Phase { stream: &self.stream, phase });
    }

    fn keep<'a>(&'a self, judged: Judged<'a>) -> BoxFuture<'a, Result<(), ProgressError>> {
        async move {
            let kept = judged.rejected.get(..self.room(judged.rejected.len())).unwrap_or(judged.rejected);
            if kept.is_empty() {
                return Ok(());
            }
            self.store.stage_rejected(&self.stream.id, kept, &self.lease).await.map_err(not_kept)
        }
        .boxed()
    }

    fn save<'a>(&'a self, _resume: &'a Checkpoint, counts: Counts) -> BoxFuture<'a, Result<(), ProgressError>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).counts = counts;
        self.watcher.event(RunEvent::Progress { stream: &self.stream, counts, org_used: None, org_max: None });
        async { Ok(()) }.boxed()
    }
}
