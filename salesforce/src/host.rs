//! Which hosts are Salesforce's, and what a person may paste to name one.

use std::fmt;

/// The base of an org: `https` and one admitted host, no port, no path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct OrgUrl {
    host: String,
}

/// Which optional families of hosts are admitted besides the standard ones.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostRules {
    /// `X.my-salesforce.com`.
    pub alternative_domains: bool,
    /// `na139.salesforce.com` and the like.
    pub legacy_instance_hosts: bool,
}

/// Why a pasted address is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    #[error("{pasted:?} is not an address of a Salesforce org: {reason}")]
    Refused { pasted: String, reason: String },
}

impl OrgUrl {
    /// Reads what a person pastes: with or without `https://`, slashes, a Lightning or Setup URL.
    pub fn parse(_pasted: &str, _rules: HostRules) -> Result<Self, HostError> {
        todo!()
    }

    /// The host name, lower case.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// True for `login.salesforce.com` and `test.salesforce.com`.
    pub fn is_generic(&self) -> bool {
        matches!(self.host.as_str(), "login.salesforce.com" | "test.salesforce.com")
    }
}

impl fmt::Display for OrgUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "https://{}", self.host)
    }
}
