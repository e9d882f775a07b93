//! *Setup > Login History*: the true reason of every refused sign-in, which the caller is often not told.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;

/// The oldest entries are dropped beyond this number.
const CAPACITY: usize = 1000;

/// One attempt to sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoginEntry {
    /// Emulated time of the attempt.
    pub at: DateTime<Utc>,
    /// User name as given.
    pub username: String,
    /// Address of the caller.
    pub from: IpAddr,
    /// `Remote Access 2.0`, `Application` or `Other Apex API`, as Login History names its login types.
    pub login_type: &'static str,
    /// The app, when one was named and is known.
    pub application: Option<String>,
    /// `Success`, or what was wrong.
    pub status: &'static str,
}

/// The attempts to sign in to one org, oldest first.
#[derive(Default)]
pub(crate) struct LoginHistory {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    entries: VecDeque<LoginEntry>,
    /// How many there were in all.
    total: usize,
}

impl LoginHistory {
    pub(crate) fn add(&self, entry: LoginEntry) {
        let mut kept = self.lock();
        if kept.entries.len() == CAPACITY {
            kept.entries.pop_front();
        }
        kept.entries.push_back(entry);
        kept.total += 1;
    }

    pub(crate) fn entries(&self) -> Vec<LoginEntry> {
        self.lock().entries.iter().cloned().collect()
    }

    /// How many attempts there were.
    pub(crate) fn total(&self) -> usize {
        self.lock().total
    }

    /// The attempts after the first `known` with their numbers, as far as they are kept.
    pub(crate) fn after(&self, known: usize) -> Vec<(usize, LoginEntry)> {
        let kept = self.lock();
        let first = kept.total - kept.entries.len();
        let numbered = (first..).zip(kept.entries.iter().cloned());
        numbered.filter(|(number, _)| *number >= known).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
