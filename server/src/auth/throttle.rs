//! How often somebody may try: for each key a burst, then one attempt per interval (the generic cell rate algorithm).

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use salesforce::Timestamp;

/// Keys that are remembered at most; past it, those are forgotten that may try freely again.
const MOST_KEYS: usize = 10_000;

/// Counts attempts of many keys, in this process.
#[derive(Debug)]
pub struct Throttle {
    interval_millis: i64,
    burst: i64,
    /// For each key, when it has made up for all its attempts.
    paid_at: Mutex<HashMap<String, i64>>,
}

impl Throttle {
    pub fn new(burst: u16, interval_seconds: u32) -> Self {
        let interval_millis = i64::from(interval_seconds) * 1000;
        Self { interval_millis, burst: i64::from(burst), paid_at: Mutex::default() }
    }

    /// Takes one attempt of `key`.
    ///
    /// # Errors
    /// The seconds until the next attempt is possible.
    pub fn attempt(&self, key: &str, now: Timestamp) -> Result<(), u64> {
        let mut all = self.paid_at.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_KEYS {
            all.retain(|_, paid_at| *paid_at > now.0);
        }
        let paid_at = all.get(key).copied().unwrap_or(now.0).max(now.0) + self.interval_millis;
        let wait = paid_at - now.0 - self.burst * self.interval_millis;
        if wait > 0 {
            return Err(u64::try_from(wait).unwrap_or_default().div_ceil(1000));
        }
        // A flood of new keys is refused rather than remembered without bound.
        if all.len() >= MOST_KEYS && !all.contains_key(key) {
            return Err(u64::try_from(self.interval_millis / 1000).unwrap_or_default());
        }
        all.insert(key.to_owned(), paid_at);
        Ok(())
    }

    /// Forgets the attempts of `key`, after one that was right.
    pub fn forgive(&self, key: &str) {
        self.paid_at.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_burst_one_attempt_is_possible_each_interval() {
        let throttle = Throttle::new(3, 60);
        let at = |seconds: i64| Timestamp(seconds * 1000);
        for _ in 0..3 {
            assert_eq!(throttle.attempt("ada", at(0)), Ok(()));
        }
        assert_eq!(throttle.attempt("ada", at(0)), Err(60));
        assert_eq!(throttle.attempt("bob", at(0)), Ok(()));
        assert_eq!(throttle.attempt("ada", at(59)), Err(1));
        assert_eq!(throttle.attempt("ada", at(60)), Ok(()));
        assert_eq!(throttle.attempt("ada", at(60)), Err(60));
        throttle.forgive("ada");
        assert_eq!(throttle.attempt("ada", at(60)), Ok(()));
    }

    #[test]
    fn a_flood_of_keys_is_bounded_and_passes() {
        let throttle = Throttle::new(1, 60);
        for key in 0..MOST_KEYS {
            assert_eq!(throttle.attempt(&key.to_string(), Timestamp(0)), Ok(()));
        }
        assert!(throttle.attempt("one more", Timestamp(0)).is_err());
        assert_eq!(throttle.attempt("one more", Timestamp(60_000)), Ok(()));
    }
}
