//! A record of every request, without secrets: no headers, no query strings, no bodies.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::broadcast;

/// The oldest entries are dropped beyond this number.
const CAPACITY: usize = 100_000;
/// A watcher that is further behind than this number of changes misses some.
const WATCHED: usize = 1024;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JournalEntry {
    /// Number of the request, from 1.
    pub number: u64,
    /// Emulated time of arrival.
    pub at: DateTime<Utc>,
    pub method: String,
    pub host: String,
    pub path: String,
    /// The path with its variable parts replaced, such as `/services/data/vXX.X/query`.
    pub route: &'static str,
    /// Status of the answer; `None` while there is none, and for ever when a fault lost it.
    pub status: Option<u16>,
    /// The fault that was applied.
    pub fault: Option<&'static str>,
}

/// The requests to all orgs in order of arrival.
#[derive(Debug)]
pub(crate) struct Journal {
    entries: Mutex<Entries>,
    changes: broadcast::Sender<JournalEntry>,
}

impl Default for Journal {
    fn default() -> Self {
        Self { entries: Mutex::default(), changes: broadcast::Sender::new(WATCHED) }
    }
}

#[derive(Debug, Default)]
struct Entries {
    kept: VecDeque<JournalEntry>,
    last: u64,
}

impl Journal {
    /// Adds a request without an answer and returns its number.
    pub(crate) fn open(&self, mut entry: JournalEntry) -> u64 {
        let mut entries = self.lock();
        entries.last += 1;
        entry.number = entries.last;
        if entries.kept.len() == CAPACITY {
            entries.kept.pop_front();
        }
        self.announce(&entry);
        entries.kept.push_back(entry);
        entries.last
    }

    pub(crate) fn answered(&self, number: u64, status: u16) {
        self.change(number, |entry| entry.status = Some(status));
    }

    pub(crate) fn struck(&self, number: u64, fault: &'static str) {
        self.change(number, |entry| entry.fault = Some(fault));
    }

    pub(crate) fn entries(&self) -> Vec<JournalEntry> {
        self.lock().kept.iter().cloned().collect()
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut JournalEntry)) {
        let mut entries = self.lock();
        let from_end = entries.last - number;
        let index = entries.kept.len().checked_sub(1 + usize::try_from(from_end).unwrap_or(usize::MAX));
        if let Some(entry) = index.and_then(|index| entries.kept.get_mut(index)) {
            change(entry);
            self.announce(entry);
        }
    }

    /// The last `most` requests, newest first.
    pub(crate) fn newest(&self, most: usize) -> Vec<JournalEntry> {
        self.lock().kept.iter().rev().take(most).cloned().collect()
    }

    /// Every request from now on, as it arrives and again with each change.
    pub(crate) fn watch(&self) -> broadcast::Receiver<JournalEntry> {
        self.changes.subscribe()
    }

    /// Called under the lock, so that watchers see changes in their order.
    fn announce(&self, entry: &JournalEntry) {
        if self.changes.receiver_count() > 0 {
            // The watchers may have gone meanwhile.
            let _ = self.changes.send(entry.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
