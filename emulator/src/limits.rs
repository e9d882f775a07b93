//! Counting of API requests and other allocations over the last 24 hours.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

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
