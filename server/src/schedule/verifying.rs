//! Holding copies against their source by themselves: one at a time in a process and in an org, while nothing of the org is due
//! and it has calls to spare. When the next one is stands in the store.

use std::{sync::Arc, time::Duration};

use salesforce::{Recovery, Timestamp};
use sync::verify::VerifyError;
use tokio::{sync::watch, task::JoinHandle};

use super::{Held, Unwatched, turn};
use crate::{
    app::{App, import::Watcher, verify::Idly},
    config::Verifying,
    error::{Error, Exit},
    store::{streams, verifications::DueVerification},
};

/// How often it is looked for a copy whose turn has come: a week more or less a minute.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// So many of those that wait are looked at. What keeps one from its turn is seldom what keeps the others.
const LOOKED_AT: u32 = 64;
/// An org without calls to spare, or a failure that passes by itself.
const SOON: Duration = Duration::from_secs(3600);
/// What a person has to change.
const LATER: Duration = Duration::from_secs(24 * 3600);

/// The comparisons of one process.
pub struct Verifier {
    app: Arc<App>,
    stop: watch::Receiver<bool>,
    looked_at: Option<Timestamp>,
    under_way: Option<JoinHandle<()>>,
}

impl Verifier {
    pub fn new(app: Arc<App>, stop: watch::Receiver<bool>) -> Self {
        Self { app, stop, looked_at: None, under_way: None }
    }

    /// Begins the comparison that has waited longest, unless one is under way here.
    ///
    /// # Errors
    /// The store cannot be had. What was begun goes on.
    pub async fn look(&mut self) -> Result<(), Error> {
        let Some(how) = self.app.config().verify else { return Ok(()) };
        let now = self.app.now();
        let has_looked = self.looked_at.is_some_and(|looked_at| now < looked_at.after(LOOK_EVERY));
        let is_busy = self.under_way.as_ref().is_some_and(|task| !task.is_finished());
        if has_looked || is_busy || *self.stop.borrow() {
            return Ok(());
        }
        self.looked_at = Some(now);
        for due in self.may_begin(now).await? {
            if let Some(alone) = Held::take(&self.app, &org_lease(&due.org_id)).await? {
                let (app, stop) = (Arc::clone(&self.app), self.stop.clone());
                self.under_way = Some(tokio::spawn(async move {
                    if let Err(error) = carry_out(&app, &due, how, &stop).await {
                        tracing::warn!(stream.id = due.stream_id, %error, "what came of a comparison is not recorded");
                    }
                    alone.give_back().await;
                }));
                break;
            }
        }
        Ok(())
    }

    /// What is due in orgs of which no stream is due.
    async fn may_begin(&self, now: Timestamp) -> Result<Vec<DueVerification>, Error> {
        let store = self.app.store();
        let mut waiting = store.due_verifications(LOOKED_AT).await?;
        waiting.retain(|due| !due.switches.paused && turn::is_ready(&due.state, now));
        if waiting.is_empty() {
            return Ok(waiting);
        }
        let streams = store.due(1).await?;
        waiting.retain(|due| streams.iter().all(|stream| stream.org_id != due.org_id || !turn::may_run(stream, now)));
        let mut idle = Vec::new();
        for due in waiting {
            let is_run = store.lease_holder(&streams::lease_name(&due.object, &due.stream_id)).await?.is_some();
            idle.extend((!is_run).then_some(due));
        }
        Ok(idle)
    }

    /// Waits for the comparison under way.
    pub async fn ended(&mut self) {
        if let Some(task) = self.under_way.take() {
            // One that has panicked has said so.
            let _ = task.await;
        }
    }
}

/// Compares one copy, and says when it is looked at next.
async fn carry_out(
    app: &App,
    due: &DueVerification,
    how: Verifying,
    stop: &watch::Receiver<bool>,
) -> Result<(), Error> {
    // Another process may have done it between the look and the lease.
    let planned = app.store().planned_verification(&due.stream_id).await?;
    if planned.is_none_or(|planned| planned.next_at > app.now()) {
        return Ok(());
    }
    let unwatched: Arc<dyn Watcher> = Arc::new(Unwatched);
    let (wait, trouble) = match app.verify_when_idle(&due.stream_id, how, &unwatched, stop).await {
        Ok(Idly::Verified(certificate)) => {
            let (connection, object, is_equal) = (&due.connection, &due.object, certificate.is_equal());
            tracing::info!(connection.name = connection, object, is_equal, "a copy was held against its source");
            // The run has said when the next one is.
            return Ok(());
        }
        Ok(Idly::Busy) => (SOON, None),
        Err(error) => match after(&error, how.every) {
            Next::StillDue => return Ok(()),
            Next::Wait { wait, is_trouble } => (wait, is_trouble.then(|| error.to_string())),
        },
    };
    app.store().plan_verification(&due.stream_id, app.now().after(wait), trouble.as_deref()).await?;
    Ok(())
}

/// What follows from an error.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Somebody else runs the stream, or this process ends.
    StillDue,
    Wait {
        wait: Duration,
        /// A person wants to know of it.
        is_trouble: bool,
    },
}

fn after(error: &Error, every: Duration) -> Next {
    if error.exit() == Exit::Busy {
        return Next::StillDue;
    }
    if let Error::Verify { source, .. } = error {
        match **source {
            VerifyError::Stopped => return Next::StillDue,
            // A sample is no copy: there is nothing to be put right.
            VerifyError::Unsuited { .. } => return Next::Wait { wait: every, is_trouble: false },
            // The next run comes to its end, or says itself why not.
            VerifyError::Unfinished { .. } => return Next::Wait { wait: SOON, is_trouble: false },
            VerifyError::Run(_) | VerifyError::TooDifferent { .. } => {}
        }
    }
    match error.recovery() {
        Recovery::Retry { after } => {
            Next::Wait { wait: SOON.max(after.unwrap_or_default()).min(LATER), is_trouble: false }
        }
        Recovery::Reauthorize | Recovery::Configure | Recovery::Reject | Recovery::Bug => {
            Next::Wait { wait: LATER, is_trouble: true }
        }
    }
}

/// The lease of the only comparison of an org that nobody has asked for.
fn org_lease(org_id: &str) -> String {
    format!("verification in org {org_id}")
}
