//! Changes to a running org from outside: the clock, faults, sessions, the journal, records and jobs.
//!
//! [`Control`] is the interface for programs; [`answer`] offers the same over HTTP below `/__emulator/`.

mod data;
mod routes;
mod schema;
mod writer;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::faults::{Fault, FaultRate};
use crate::journal::JournalEntry;
use crate::login_history::LoginEntry;
use crate::mailbox::Message;
use crate::metadata::{self, DeployError};
use crate::org::{Org, PopulateError, audit};
use crate::scenario::{Advance, ScenarioError, Setup};
use crate::world::World;

pub use data::ControlError;
pub(crate) use routes::{answer, is_control, is_within_reach, refuse_cross_site};
pub use writer::Writer;

/// A handle on a running org, and on what it shares with the other orgs of the process: clock, faults, journal, mailbox
/// and the callers' address.
#[derive(Clone)]
pub struct Control {
    world: Arc<World>,
    org: Arc<Org>,
}

impl Control {
    pub(crate) fn new(world: Arc<World>, org: Arc<Org>) -> Self {
        Self { world, org }
    }

    /// The same for the org with another My Domain, such as `acme--uat`; `None` when there is no such org.
    pub fn org(&self, my_domain: &str) -> Option<Self> {
        let org = self.world.org_named(my_domain)?;
        Some(Self::new(Arc::clone(&self.world), org))
    }

    /// Refreshes the org, a sandbox such as `acme--uat`: a copy of the org it belongs to, as that is now, takes its place.
    /// Hosts and record ids stay; the org id is another (`id`, or any that no org has), and users, sessions and grants of
    /// the former org are gone. This handle stays with the former org; the one that is returned leads to the new one.
    ///
    /// # Errors
    /// When the org is no sandbox of an org of this process, or `id` is no org id or another org's.
    pub fn refresh_sandbox(&self, id: Option<&str>) -> Result<Self, PopulateError> {
        let org = self.world.refresh_sandbox(&self.org.scenario.org.my_domain, id)?;
        Ok(Self::new(Arc::clone(&self.world), org))
    }

    /// The org's id, in 18 characters.
    pub fn org_id(&self) -> String {
        self.org.id.to_string()
    }

    /// The configuration of the org as an admin sees it in Setup: with every change that has been saved.
    pub fn setup(&self) -> Arc<Setup> {
        self.org.configuration.saved()
    }

    /// Changes the configuration of the org. It takes effect after the org's propagation delay.
    ///
    /// # Errors
    /// When the changed configuration names what does not exist. Users cannot be added or removed, and the org keeps its
    /// id, its My Domain and its kind.
    pub fn change_setup(&self, change: impl FnOnce(&mut Setup)) -> Result<(), ScenarioError> {
        let mut noted = Vec::new();
        self.org.configuration.change(self.now(), |before| {
            let mut setup = before.clone();
            change(&mut setup);
            setup.check()?;
            refuse_another_org(before, &setup)?;
            noted = audit::changes(before, &setup);
            Ok::<_, ScenarioError>(setup)
        })?;
        self.org.note_changes(noted);
        self.org.refresh_system_rows();
        // Who sees which fields may be another now, and describe is per user.
        self.org.note_schema_change();
        Ok(())
    }

    /// Deploys a source-format folder into the org, as [`Scenario::deploy`](crate::Scenario::deploy) does before it starts.
    /// It takes effect after the org's propagation delay.
    ///
    /// # Errors
    /// When the folder cannot be read, or a deployment would be refused; with every problem and its place.
    pub fn deploy(&self, folder: &Path) -> Result<(), DeployError> {
        let snapshot = self.org.snapshot();
        let seed = self.org.scenario.seed;
        self.org.configuration.change(self.now(), |before| metadata::deploy(folder, before, snapshot.schema(), seed))
    }

    /// Every message that the orgs have sent by e-mail, oldest first.
    pub fn mailbox(&self) -> Vec<Message> {
        self.org.shared.mailbox.messages()
    }

    /// Every attempt to sign in to the org, oldest first, with the reason that the caller may not have been told.
    pub fn login_history(&self) -> Vec<LoginEntry> {
        self.org.login_history.entries()
    }

    /// The address that callers seem to have from now on.
    pub fn set_caller_address(&self, address: IpAddr) {
        self.org.shared.set_caller(address);
    }

    /// The emulated time.
    pub fn now(&self) -> DateTime<Utc> {
        self.org.now()
    }

    /// Moves emulated time forward and returns the new time.
    pub fn advance(&self, by: Duration) -> DateTime<Utc> {
        self.org.shared.clock.advance(by)
    }

    /// Queues a fault.
    pub fn push_fault(&self, fault: Fault) {
        self.org.shared.faults.push(fault);
    }

    /// Sets the rate of a pattern in place of the one it had; a probability of 0 removes it.
    pub fn set_fault_rate(&self, rate: FaultRate) {
        self.org.shared.faults.set_rate(rate);
    }

    /// Drops all queued faults and rates.
    pub fn clear_faults(&self) {
        self.org.shared.faults.clear();
    }

    /// Queued faults that no request has met.
    pub fn unused_faults(&self) -> Vec<Fault> {
        self.org.shared.faults.unused()
    }

    /// Lets every request go on that a fault holds now.
    pub fn release(&self) {
        self.org.shared.release();
    }

    /// Every request so far, oldest first, at most the last 100,000.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.org.shared.journal.entries()
    }

    /// Takes every unfinished Bulk job one state further, doing its work on the calling thread.
    pub fn step_jobs(&self) {
        self.org.step_jobs();
    }

    /// Decides whether Bulk jobs that are created from now on run by themselves.
    pub fn set_job_advance(&self, advance: Advance) {
        self.org.jobs.set_advance(advance);
    }

    /// Ends every session; refresh tokens live on.
    pub fn expire_sessions(&self) {
        self.org.sessions.end_all();
    }
}

/// Refuses what cannot change while an org runs.
fn refuse_another_org(before: &Setup, after: &Setup) -> Result<(), ScenarioError> {
    let names = |setup: &Setup| -> Vec<String> { setup.users.iter().map(|user| user.username.clone()).collect() };
    if names(before) != names(after) {
        let problem = "users can be changed while an org runs, but not added, removed, moved or renamed";
        return Err(ScenarioError::Inconsistent(problem.to_owned()));
    }
    let identity = |setup: &Setup| (setup.org.id.clone(), setup.org.my_domain.clone(), setup.org.kind);
    if identity(before) != identity(after) {
        let problem = "an org keeps its id, its My Domain and its kind while it runs";
        return Err(ScenarioError::Inconsistent(problem.to_owned()));
    }
    Ok(())
}
