//! Counting of API requests and other allocations over the last 24 hours.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

const WINDOW_HOURS: i64 = 24;

/// A counter over a rolling window of 24 hours, kept by the hour.
#[derive(Debug, Default)]
pub(crate) struct Rolling {
    hours: Mutex<VecDeque<(i64, u64)>>,
}

impl Rolling {
    /// Counts one more unless `limit` is reached; the count so far either way.
    ///
    /// # Errors
    /// The count, when it stands at the limit.
    pub(crate) fn count(&self, now: DateTime<Utc>, limit: u64) -> Result<u64, u64> {
        let mut hours = self.current(now);
        let used = total(&hours);
        if used >= limit {
            return Err(used);
        }
        let hour = hour_of(now);
        match hours.back_mut() {
            Some((last, count)) if *last >= hour => *count += 1,
            _ => hours.push_back((hour, 1)),
        }
        Ok(used + 1)
    }

    pub(crate) fn used(&self, now: DateTime<Utc>) -> u64 {
        total(&self.current(now))
    }

    fn current(&self, now: DateTime<Utc>) -> MutexGuard<'_, VecDeque<(i64, u64)>> {
        let mut hours = self.hours.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = hour_of(now) - WINDOW_HOURS;
        while hours.front().is_some_and(|(hour, _)| *hour <= oldest) {
            hours.pop_front();
        }
        hours
    }
}

/// The allocations of one org that are counted.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    pub(crate) api_requests: Rolling,
    pub(crate) bulk_query_jobs: Rolling,
    /// Batches of Bulk API 1.0 and those that Bulk API 2.0 makes of an upload.
    pub(crate) bulk_batches: Rolling,
    apps: Mutex<HashMap<String, Arc<Rolling>>>,
    pub(crate) running: Running,
}

impl Usage {
    /// The API requests of an app, by its name.
    pub(crate) fn of_app(&self, app: &str) -> Arc<Rolling> {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(apps.entry(app.to_owned()).or_default())
    }
}

/// Requests that run for so long count as long-running. Source: app limits cheat sheet, "Concurrent API Request Limits".
const LONG: TimeDelta = TimeDelta::seconds(20);

/// The requests that are being answered, and since when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running(Arc<Mutex<Vec<Begun>>>);

/// The number of a request, and when it came.
type Begun = (u64, DateTime<Utc>);

/// A request that is being answered, until this is dropped.
pub(crate) struct InFlight {
    running: Running,
    number: u64,
}

impl Running {
    /// Notes a request by its number in the journal.
    pub(crate) fn enter(&self, number: u64, now: DateTime<Utc>) -> InFlight {
        self.lock().push((number, now));
        InFlight { running: self.clone(), number }
    }

    /// How many requests besides one have run for long.
    pub(crate) fn long_beside(&self, number: u64, now: DateTime<Utc>) -> usize {
        self.lock().iter().filter(|(other, since)| *other != number && now - *since >= LONG).count()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Begun>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.running.lock().retain(|(number, _)| *number != self.number);
    }
}

fn hour_of(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(3600)
}

fn total(hours: &VecDeque<(i64, u64)>) -> u64 {
    hours.iter().map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_count_is_forgotten_after_a_day() {
        let start = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let rolling = Rolling::default();
        assert_eq!(rolling.count(start, 2), Ok(1));
        assert_eq!(rolling.count(start + TimeDelta::hours(3), 2), Ok(2));
        assert_eq!(rolling.count(start + TimeDelta::hours(4), 2), Err(2));
        assert_eq!(rolling.count(start + TimeDelta::hours(25), 2), Ok(2));
        assert_eq!(rolling.used(start + TimeDelta::hours(60)), 0);
    }
}
