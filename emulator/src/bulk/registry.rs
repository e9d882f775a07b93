//! The jobs of an org by their ids.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::ids::RecordId;

/// Jobs and their results are kept for seven days.
const LIFE: TimeDelta = TimeDelta::days(7);

/// What the shelf has to know about a job.
pub(super) trait Kept {
    fn id(&self) -> RecordId;
    fn created_by(&self) -> RecordId;
    fn created(&self) -> DateTime<Utc>;
}

/// The jobs of one kind.
pub(super) struct Shelf<T> {
    all: Mutex<BTreeMap<RecordId, Arc<T>>>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { all: Mutex::default() }
    }
}

impl<T: Kept> Shelf<T> {
    pub(super) fn add(&self, job: Arc<T>) {
        self.lock().insert(job.id(), job);
    }

    /// A job of a user. Those of others and those past their life do not exist.
    pub(super) fn find(&self, id: &str, user: RecordId, now: DateTime<Utc>) -> Option<Arc<T>> {
        let id = RecordId::parse(id).ok()?;
        let mut all = self.lock();
        all.retain(|_, job| now - job.created() < LIFE);
        all.get(&id).filter(|job| job.created_by() == user).cloned()
    }

    /// The jobs of a user, oldest first.
    pub(super) fn of_user(&self, user: RecordId, now: DateTime<Utc>) -> Vec<Arc<T>> {
        let all = self.lock();
        let own = all.values().filter(|job| job.created_by() == user && now - job.created() < LIFE);
        own.cloned().collect()
    }

    pub(super) fn remove(&self, id: RecordId) {
        self.lock().remove(&id);
    }

    /// Every job, oldest first.
    pub(super) fn all(&self) -> Vec<Arc<T>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RecordId, Arc<T>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
