//! Emulated time: everything an org stamps or lets expire follows this clock.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

/// How the clock of an org moves between two calls of [`crate::Control::advance`].
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Passage {
    /// With real time.
    #[default]
    Running,
    /// Not at all.
    Frozen,
}

/// The clock of one org.
#[derive(Debug)]
pub(crate) struct Clock {
    start: DateTime<Utc>,
    passage: Passage,
    started: Instant,
    advanced: Mutex<TimeDelta>,
}

impl Clock {
    /// Starts at `start`, or at the real time when there is none.
    pub(crate) fn new(start: Option<DateTime<Utc>>, passage: Passage) -> Self {
        Self {
            start: start.unwrap_or_else(Utc::now),
            passage,
            started: Instant::now(),
            advanced: Mutex::new(TimeDelta::zero()),
        }
    }

    /// Whether the time runs by itself.
    pub(crate) fn passage(&self) -> Passage {
        self.passage
    }

    /// The emulated time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        let advanced = *self.advanced.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = match self.passage {
            Passage::Running => time_delta(self.started.elapsed()),
            Passage::Frozen => TimeDelta::zero(),
        };
        self.start
            .checked_add_signed(advanced)
            .and_then(|now| now.checked_add_signed(elapsed))
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Moves the time forward and returns the new time.
    pub(crate) fn advance(&self, by: Duration) -> DateTime<Utc> {
        {
            let mut advanced = self.advanced.lock().unwrap_or_else(PoisonError::into_inner);
            *advanced = advanced.checked_add(&time_delta(by)).unwrap_or(TimeDelta::MAX);
        }
        self.now()
    }
}

fn time_delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_moves_only_when_told() {
        let start = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let clock = Clock::new(Some(start), Passage::Frozen);
        assert_eq!(clock.now(), start);
        clock.advance(Duration::from_secs(90));
        assert_eq!(clock.now(), start + TimeDelta::seconds(90));
    }

    #[test]
    fn an_absurd_advance_stops_at_the_end_of_time() {
        let clock = Clock::new(None, Passage::Running);
        clock.advance(Duration::MAX);
        assert!(clock.now() > DateTime::from_timestamp(4_000_000_000, 0).unwrap());
    }
}
