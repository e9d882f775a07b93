//! What time it is in the orgs, as far as their last answers tell.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::time::Timestamp;

/// The last `Date` of each host, and when it came.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    last: Mutex<HashMap<String, (Timestamp, Instant)>>,
}

impl Clocks {
    pub(super) fn note(&self, host: &str, date: Timestamp, at: Instant) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.insert(host.to_owned(), (date, at));
    }

    pub(super) fn time_at(&self, host: &str, now: Instant) -> Option<Timestamp> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (date, at) = last.get(host)?;
        Some(date.after(now.saturating_duration_since(*at)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_hosts_clock_goes_on_from_its_last_answer() {
        let clocks = Clocks::default();
        let start = Instant::now();
        assert_eq!(clocks.time_at("acme", start), None);
        clocks.note("acme", Timestamp(5_000), start);
        assert_eq!(clocks.time_at("acme", start + Duration::from_secs(2)), Some(Timestamp(7_000)));
        assert_eq!(clocks.time_at("other", start), None);
    }
}
