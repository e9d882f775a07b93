//! Changes to a running org from outside: the clock, faults, sessions, the journal, records and jobs.
//!
//! [`Control`] is the interface for programs; [`answer`] offers the same over HTTP below `/__emulator/`.

mod data;
mod routes;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::faults::{Fault, FaultRate};
use crate::journal::JournalEntry;
use crate::org::Org;
use crate::scenario::Advance;

pub use data::ControlError;
pub(crate) use routes::{answer, is_control};

/// A handle on a running org.
#[derive(Clone)]
pub struct Control {
    org: Arc<Org>,
}

impl Control {
    pub(crate) fn new(org: Arc<Org>) -> Self {
        Self { org }
    }

    /// The emulated time.
    pub fn now(&self) -> DateTime<Utc> {
        self.org.clock.now()
    }

    /// Moves emulated time forward and returns the new time.
    pub fn advance(&self, by: Duration) -> DateTime<Utc> {
        self.org.clock.advance(by)
    }

    /// Queues a fault.
    pub fn push_fault(&self, fault: Fault) {
        self.org.faults.push(fault);
    }

    /// Sets the rate of a pattern in place of the one it had; a probability of 0 removes it.
    pub fn set_fault_rate(&self, rate: FaultRate) {
        self.org.faults.set_rate(rate);
    }

    /// Drops all queued faults and rates.
    pub fn clear_faults(&self) {
        self.org.faults.clear();
    }

    /// Queued faults that no request has met.
    pub fn unused_faults(&self) -> Vec<Fault> {
        self.org.faults.unused()
    }

    /// Lets every request go on that a fault holds now.
    pub fn release(&self) {
        self.org.release();
    }

    /// Every request so far, oldest first, at most the last 100,000.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.org.journal.entries()
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
