//! What a check found, and what to do about it.

use std::{borrow::Cow, fmt};

use salesforce::OrgUrl;
use serde::{Deserialize, Serialize};

/// Where in the way from here to the records a finding lies, in the order in which they are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// The way to the host: name, address, certificate, proxy.
    Network,
    /// The org behind the host.
    Org,
    /// The app, its flow and policies, and the user who signs in.
    SignIn,
    /// What the session may do at all.
    Api,
    /// Objects, fields and records.
    Data,
    /// Requests and Bulk.
    Limit,
    /// How long all of this lasts.
    Life,
}

impl Layer {
    pub const ALL: [Self; 7] = [Self::Network, Self::Org, Self::SignIn, Self::Api, Self::Data, Self::Limit, Self::Life];

    /// The first part of its findings' codes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Org => "org",
            Self::SignIn => "sign-in",
            Self::Api => "api",
            Self::Data => "data",
            Self::Limit => "limit",
            Self::Life => "life",
        }
    }

    /// As a heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Network => "The way to Salesforce",
            Self::Org => "The org",
            Self::SignIn => "App and sign-in",
            Self::Api => "API access",
            Self::Data => "Objects and fields",
            Self::Limit => "Limits",
            Self::Life => "Lifetime",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Ok,
    /// Nothing is wrong, and a person should know it.
    Note,
    /// It works, and something will, or may, go wrong.
    Warning,
    Failed,
}

/// Who can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// An administrator of the Salesforce org.
    OrgAdmin,
    /// The Salesforce user who signs in.
    OrgUser,
    /// Whoever runs this installation, or entered the values here.
    Vendor,
    Salesforce,
    Nobody,
}

impl fmt::Display for Who {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::OrgAdmin => "an administrator of the Salesforce org",
            Self::OrgUser => "the Salesforce user who signs in",
            Self::Vendor => "whoever runs this installation",
            Self::Salesforce => "Salesforce",
            Self::Nobody => "nobody",
        })
    }
}

/// Why waiting may cure it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passing {
    /// A change in Setup takes two to ten minutes to reach every server, and until then some refuse.
    Propagation,
    /// It passes by itself, nobody knows when: an outage, maintenance, a quota.
    Later,
}

impl fmt::Display for Passing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Propagation => "a change in Setup takes 2 to 10 minutes to work",
            Self::Later => "it passes by itself",
        })
    }
}

/// A place in Setup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// The way by labels, behind "Setup".
    pub path: Cow<'static, str>,
    /// What to type into Setup's Quick Find box.
    pub quick_find: Cow<'static, str>,
    /// Setup's home page in this org; single pages have no documented address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

impl Setup {
    /// Source of the address: CumulusCI (`SFDO-Tooling/CumulusCI:Salesforce.py`) opens it below the instance URL.
    fn link_to(org: &OrgUrl) -> Option<String> {
        (!org.is_generic()).then(|| format!("{org}/lightning/setup/SetupOneHome/home"))
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    pub text: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setup: Option<Setup>,
}

/// What a check found. It is kept and shown as it is, so it holds no secret and needs no catalogue to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable, such as `sign-in/unknown-consumer-key`; see `docs/errors.md`.
    pub code: Cow<'static, str>,
    pub layer: Layer,
    pub severity: Severity,
    /// What it is about: an object, a field, a version; empty for the connection itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// What was seen.
    pub seen: String,
    /// Why that is so; empty where nothing is wrong.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub cause: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
    pub who: Who,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_pass: Option<Passing>,
    /// While this is so, a connection is not saved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_essential: bool,
}

impl Finding {
    pub(super) fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Replaces the catalogue's remedy by one that says more.
    pub(super) fn with_remedy(mut self, text: String) -> Self {
        let setup = self.remedy.take().and_then(|remedy| remedy.setup);
        self.remedy = Some(Remedy { text: text.into(), setup });
        self
    }

    /// Adds the way to Setup of this org.
    pub(super) fn in_setup_of(mut self, org: &OrgUrl) -> Self {
        if let Some(setup) = self.remedy.as_mut().and_then(|remedy| remedy.setup.as_mut()) {
            setup.link = Setup::link_to(org);
        }
        self
    }

    /// What was seen and why, as one sentence.
    pub fn sentence(&self) -> String {
        let about = match self.subject.as_str() {
            subject if subject.is_empty() || self.seen.contains(subject) => String::new(),
            subject => format!("{subject}: "),
        };
        match self.cause.is_empty() || self.seen.contains(self.cause.as_ref()) {
            true => format!("{about}{}", self.seen),
            false => format!("{about}{}: {}", self.seen, self.cause),
        }
    }
}
