//! The users of an org.

use serde::Deserialize;

use super::{no, yes};
use crate::secret::Secret;

/// One user of the org.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserSpec {
    /// User name, unique.
    pub username: String,
    #[serde(default)]
    pub password: Option<Secret>,
    /// Appended to the password outside trusted networks.
    #[serde(default)]
    pub security_token: Option<Secret>,
    pub first_name: Option<String>,
    pub last_name: String,
    /// E-mail address; by default the user name.
    #[serde(default)]
    pub email: Option<String>,
    pub profile: String,
    #[serde(default)]
    pub permission_sets: Vec<String>,
    #[serde(default = "yes")]
    pub active: bool,
    /// Frozen: may not sign in, keeps the license.
    #[serde(default = "no")]
    pub frozen: bool,
    /// Locked out after too many wrong passwords.
    #[serde(default = "no")]
    pub locked_out: bool,
    /// The password has expired: SOAP `login()` still answers, with a session that is good for nothing.
    #[serde(default = "no")]
    pub password_expired: bool,
    /// Signs in with a second factor, which makes the session one of high assurance. The emulated second factor is a
    /// code in the mailbox.
    #[serde(default = "no")]
    pub second_factor: bool,
    #[serde(default)]
    pub kind: UserKind,
}

impl UserSpec {
    /// First and last name.
    pub fn full_name(&self) -> String {
        match &self.first_name {
            Some(first) => format!("{first} {}", self.last_name),
            None => self.last_name.clone(),
        }
    }

    /// Whether the user is neither deactivated nor frozen.
    pub fn may_sign_in(&self) -> bool {
        self.active && !self.frozen
    }

    /// The e-mail address; by default the user name.
    pub fn address(&self) -> &str {
        self.email.as_deref().unwrap_or(&self.username)
    }
}

/// Kind of a user.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum UserKind {
    /// An employee.
    #[default]
    Standard,
    /// With the license "Salesforce Integration": cannot sign in through a browser.
    Integration,
    /// A user of an Experience Cloud site: may neither sign in on the My Domain nor be a Run As user.
    Portal,
}
