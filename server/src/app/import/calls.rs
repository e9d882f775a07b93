//! What a command costs the org, run by run.

use std::sync::atomic::{AtomicU64, Ordering};

use salesforce::Client;

/// One client for everything that a command asks, so that the records of its runs name all of its calls, and each once:
/// what is asked before a run is open (describes, to compile a mapping) stands in the record of the next one.
pub(in crate::app) struct Calls {
    pub(in crate::app) client: Client,
    /// The calls that stand in the record of a run already.
    told: AtomicU64,
}

impl Calls {
    pub(in crate::app) fn of(client: Client) -> Self {
        Self { client, told: AtomicU64::new(0) }
    }

    /// The calls that are of no concern to the run that is next or under way.
    pub(in crate::app) fn before(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }

    /// The calls that no record has yet: they go into the one that is closed now.
    pub(in crate::app) fn take(&self) -> u64 {
        let all = self.client.usage().calls;
        all.saturating_sub(self.told.swap(all, Ordering::Relaxed))
    }
}
