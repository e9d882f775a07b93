//! A stream's lease, kept while a run works.

use std::{sync::Arc, time::Duration};

use salesforce::http::Timer;

use crate::store::{Store, lease::Lease};

/// A stream's lease is held this long without a sign of life: another process replaces a killed one within a minute.
pub(crate) const LEASE_TERM: Duration = Duration::from_secs(40);
/// Signs of life; three may be lost.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Keeps a lease alive while a run works. A lease that is lost stops nothing by itself: the places of effect refuse
/// its epoch.
pub(crate) struct Heartbeat {
    task: tokio::task::JoinHandle<()>,
}

impl Heartbeat {
    pub(crate) fn start(store: Arc<Store>, timer: Arc<dyn Timer>, lease: Lease) -> Self {
        let task = tokio::spawn(async move {
            loop {
                timer.sleep(HEARTBEAT).await;
                if let Err(error) = store.renew_lease(&lease, LEASE_TERM).await {
                    tracing::warn!(lease = lease.name, %error, "the lease is not renewed");
                }
            }
        });
        Self { task }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}
