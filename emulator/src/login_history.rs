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
    entries: Mutex<VecDeque<LoginEntry>>,
}

impl LoginHistory {
    pub(crate) fn add(&self, entry: LoginEntry) {
        let mut entries = self.lock();
        if entries.len() == CAPACITY {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    pub(crate) fn entries(&self) -> Vec<LoginEntry> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<LoginEntry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
