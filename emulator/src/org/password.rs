//! Passwords of users. They change at once, without the delay that other changes of the configuration have.
//!
//! The policy is that of a new org (Salesforce Help, "Set Password Policies"): eight characters with a letter and a digit.
//! The words of the refusals are inferred.

use super::{Org, random_text};
use crate::secret::Secret;

const SHORTEST: usize = 8;
const TEMPORARY: usize = 12;

/// What becomes of a password.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expiry {
    /// The user has chosen it.
    None,
    /// It is to be changed at the next login.
    AtNextLogin,
}

impl Org {
    /// Gives a user another password.
    ///
    /// # Errors
    /// What the policy has against it.
    pub(crate) fn set_password(&self, username: &str, password: &str) -> Result<(), &'static str> {
        if password.chars().count() < SHORTEST {
            return Err("Your password must be at least 8 characters long.");
        }
        if !password.chars().any(char::is_alphabetic) || !password.chars().any(|c| c.is_ascii_digit()) {
            return Err("Your password must have a mix of letters and numbers.");
        }
        self.store_password(username, password, Expiry::None);
        self.sessions.renew_password(username);
        Ok(())
    }

    /// Gives a user a password that is made up and has to be changed when it is used.
    pub(crate) fn reset_password(&self, username: &str) -> String {
        let password = format!("{}a1", random_text(TEMPORARY));
        self.store_password(username, &password, Expiry::AtNextLogin);
        password
    }

    fn store_password(&self, username: &str, password: &str, expiry: Expiry) {
        self.configuration.amend(|setup| {
            if let Some(user) = setup.user_mut(username) {
                user.password = Some(Secret::new(password));
                user.password_expired = expiry == Expiry::AtNextLogin;
            }
        });
        self.attempts.password_was_right(username);
    }
}
