//! What a command costs the org, run by run.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use salesforce::Client;

use crate::quota::governor::OrgGovernor;

/// One client for everything that a command asks, so that the records of its runs name all of its calls, and each once:
/// what is asked before a run is open (describes, to compile a mapping) stands in the record of the next one.
pub(in crate::app) struct Calls {
    pub(in crate::app) client: Client,
    /// The calls that stand in the record of a run already.
    told: AtomicU64,
    told_jobs: AtomicU64,
    /// Where calls that were taken of the org's budget and not made go back to.
    governor: Option<Arc<OrgGovernor>>,
}

impl Calls {
    pub(in crate::app) fn of(client: Client) -> Self {
        Self { client, told: AtomicU64::new(0), told_jobs: AtomicU64::new(0), governor: None }
    }

    /// Those of a client that takes some of the org's budget at a time.
    pub(in crate::app) fn within(client: Client, governor: Arc<OrgGovernor>) -> Self {
        Self { governor: Some(governor), ..Self::of(client) }
    }

    /// Gives back what was taken of the org's budget and not spent.
    pub(in crate::app) async fn settle(&self) {
        let Some(governor) = &self.governor else { return };
        if let Err(error) = governor.settle().await {
            tracing::warn!(%error, "API calls that were not made count as made");
        }
    }

    /// The calls that are of no concern to the run that is next or under way.
    pub(in crate::app) fn before(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }

    /// The calls, and the Bulk jobs among them, that no record has yet: they go into the one that is closed now.
    pub(in crate::app) fn take(&self) -> (u64, u64) {
        let all = self.client.usage();
        let calls = all.calls.saturating_sub(self.told.swap(all.calls, Ordering::Relaxed));
        (calls, all.jobs.saturating_sub(self.told_jobs.swap(all.jobs, Ordering::Relaxed)))
    }
}
