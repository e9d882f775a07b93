//! Counts that lock users out: wrong passwords in a row, and logins in an hour.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// *Password Policies > Lockout effective period*, by default (Salesforce Help, "Set Password Policies").
const LOCKOUT: TimeDelta = TimeDelta::minutes(15);

/// Attempts to sign in, by user name in lower case.
#[derive(Default)]
pub(crate) struct Attempts {
    users: Mutex<HashMap<String, Counts>>,
}

#[derive(Default)]
struct Counts {
    wrong_passwords: u32,
    last_wrong: Option<DateTime<Utc>>,
    /// The hour since the epoch, and the logins in it.
    logins: (i64, u64),
}

impl Attempts {
    /// Whether `limit` wrong passwords in a row lock a user out now.
    pub(crate) fn is_locked_out(&self, username: &str, limit: u32, now: DateTime<Utc>) -> bool {
        self.with(username, |counts| {
            let recent = counts.last_wrong.is_some_and(|last| now - last < LOCKOUT);
            if !recent {
                counts.wrong_passwords = 0;
            }
            counts.wrong_passwords >= limit
        })
    }

    pub(crate) fn password_was_wrong(&self, username: &str, now: DateTime<Utc>) {
        self.with(username, |counts| {
            counts.wrong_passwords = counts.wrong_passwords.saturating_add(1);
            counts.last_wrong = Some(now);
        });
    }

    pub(crate) fn password_was_right(&self, username: &str) {
        self.with(username, |counts| counts.wrong_passwords = 0);
    }

    /// Counts a login; false when the limit of the hour is reached.
    pub(crate) fn count_login(&self, username: &str, limit: u64, now: DateTime<Utc>) -> bool {
        let hour = now.timestamp().div_euclid(3600);
        self.with(username, |counts| {
            if counts.logins.0 != hour {
                counts.logins = (hour, 0);
            }
            if counts.logins.1 >= limit {
                return false;
            }
            counts.logins.1 += 1;
            true
        })
    }

    fn with<T>(&self, username: &str, change: impl FnOnce(&mut Counts) -> T) -> T {
        let mut users = self.lock();
        change(users.entry(username.to_ascii_lowercase()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Counts>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_219_200 + seconds, 0).unwrap()
    }

    #[test]
    fn wrong_passwords_in_a_row_lock_out_for_a_quarter_of_an_hour() {
        let attempts = Attempts::default();
        for _ in 0..3 {
            assert!(!attempts.is_locked_out("Sam", 3, second(0)));
            attempts.password_was_wrong("sam", second(0));
        }
        assert!(attempts.is_locked_out("sam", 3, second(899)));
        assert!(!attempts.is_locked_out("sam", 3, second(900)));
    }

    #[test]
    fn a_right_password_in_between_starts_the_count_again() {
        let attempts = Attempts::default();
        attempts.password_was_wrong("sam", second(0));
        attempts.password_was_right("sam");
        attempts.password_was_wrong("sam", second(1));
        assert!(!attempts.is_locked_out("sam", 2, second(2)));
    }

    #[test]
    fn logins_are_counted_by_the_hour() {
        let attempts = Attempts::default();
        assert!(attempts.count_login("sam", 1, second(10)));
        assert!(!attempts.count_login("sam", 1, second(3599)));
        assert!(attempts.count_login("sam", 1, second(3600)));
    }
}
