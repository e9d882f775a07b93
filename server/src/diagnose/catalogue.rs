//! Everything that a check can find: one table, from which findings, `orgtide explain` and `docs/errors.md` are made.
//!
//! What Salesforce's own refusals mean is written in `salesforce::error`, and taken over here with who has to act.

mod data;
mod lasting;
mod reaching;
mod refusals;

use super::finding::{Finding, Layer, Passing, Remedy, Setup, Severity, Who};

pub use self::{data::*, lasting::*, reaching::*, refusals::*};

/// One thing that can be found.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub layer: Layer,
    /// The second part of the code.
    pub name: &'static str,
    pub severity: Severity,
    pub cause: &'static str,
    /// Empty where nothing is to be done.
    pub remedy: &'static str,
    pub place: Option<Place>,
    pub who: Who,
    pub may_pass: Option<Passing>,
    /// A connection is not saved while this is so.
    pub is_essential: bool,
}

impl Entry {
    const fn new(layer: Layer, name: &'static str, severity: Severity) -> Self {
        Self {
            layer,
            name,
            severity,
            cause: "",
            remedy: "",
            place: None,
            who: Who::Nobody,
            may_pass: None,
            is_essential: false,
        }
    }

    const fn ok(layer: Layer, name: &'static str) -> Self {
        Self::new(layer, name, Severity::Ok)
    }

    const fn note(layer: Layer, name: &'static str) -> Self {
        Self::new(layer, name, Severity::Note)
    }

    const fn warning(layer: Layer, name: &'static str) -> Self {
        Self::new(layer, name, Severity::Warning)
    }

    const fn failed(layer: Layer, name: &'static str) -> Self {
        Self::new(layer, name, Severity::Failed)
    }

    const fn because(mut self, cause: &'static str) -> Self {
        self.cause = cause;
        self
    }

    const fn cured_by(mut self, who: Who, remedy: &'static str) -> Self {
        (self.who, self.remedy) = (who, remedy);
        self
    }

    const fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    const fn passing(mut self, may_pass: Passing) -> Self {
        self.may_pass = Some(may_pass);
        self
    }

    const fn essential(mut self) -> Self {
        self.is_essential = true;
        self
    }

    /// The stable code.
    pub fn code(&self) -> String {
        format!("{}/{}", self.layer, self.name)
    }

    /// This, seen.
    pub fn found(&self, seen: impl Into<String>) -> Finding {
        let remedy = match self.remedy.is_empty() {
            true => None,
            false => Some(Remedy { text: self.remedy.into(), setup: self.place.map(Setup::from) }),
        };
        Finding {
            code: self.code().into(),
            layer: self.layer,
            severity: self.severity,
            subject: String::new(),
            seen: seen.into(),
            cause: self.cause.into(),
            remedy,
            who: self.who,
            may_pass: self.may_pass,
            is_essential: self.is_essential,
        }
    }
}

/// A place in Setup, by its labels of 2026.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub path: &'static str,
    /// What to type into Quick Find.
    pub quick_find: &'static str,
}

impl From<Place> for Setup {
    fn from(Place { path, quick_find }: Place) -> Self {
        Self { path: path.into(), quick_find: quick_find.into(), link: None }
    }
}

mod places {
    use super::Place;

    const fn at(path: &'static str, quick_find: &'static str) -> Place {
        Place { path, quick_find }
    }

    pub(super) const EXTERNAL_CLIENT_APPS: Place = at("External Client App Manager", "external client");
    pub(super) const OAUTH_USAGE: Place = at("Connected Apps OAuth Usage", "oauth usage");
    pub(super) const MY_DOMAIN: Place = at("My Domain", "my domain");
    pub(super) const PERMISSION_SETS: Place = at("Permission Sets", "permission sets");
    pub(super) const USERS: Place = at("Users", "users");
    pub(super) const LOGIN_HISTORY: Place = at("Login History", "login history");
    pub(super) const COMPANY: Place = at("Company Information", "company information");
    pub(super) const VERIFICATION: Place = at("Identity Verification", "identity verification");
    pub(super) const OAUTH_SETTINGS: Place = at("OAuth and OpenID Connect Settings", "oauth and openid");
}

/// Declares entries, and the list of them.
macro_rules! entries {
    ($list:ident: $($(#[$doc:meta])* $name:ident = $entry:expr;)*) => {
        $($(#[$doc])* pub static $name: Entry = $entry;)*
        pub(super) static $list: &[&Entry] = &[$(&$name,)*];
    };
}
use entries;

/// Everything that can be found, by layer and code.
pub fn all() -> Vec<Entry> {
    let ours = [reaching::ENTRIES, data::ENTRIES, lasting::ENTRIES].into_iter().flatten().map(|entry| **entry);
    let mut all: Vec<Entry> = ours.chain(refusals::all()).collect();
    all.sort_by(|one, other| (one.layer, one.name).cmp(&(other.layer, other.name)));
    all
}

/// The entry with that code.
pub fn entry(code: &str) -> Option<Entry> {
    all().into_iter().find(|entry| entry.code() == code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_stands_for_one_thing_and_is_spelt_alike() {
        let mut codes = BTreeSet::new();
        for entry in all() {
            assert!(codes.insert(entry.code()), "{} twice", entry.code());
            let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(entry.name.chars().all(is_part), "{}", entry.code());
        }
        assert!(codes.len() > 80, "{}", codes.len());
    }

    #[test]
    fn what_is_wrong_has_a_cause_a_remedy_and_somebody_who_acts_or_passes_by_itself() {
        for entry in all().iter().filter(|entry| entry.severity >= Severity::Warning) {
            let code = entry.code();
            assert!(!entry.cause.is_empty(), "{code}: no cause");
            assert!(!entry.remedy.is_empty(), "{code}: no remedy");
            assert!(entry.who != Who::Nobody || entry.may_pass.is_some(), "{code}: nobody acts");
            assert!(!entry.cause.ends_with('.') && !entry.remedy.ends_with('.'), "{code}: ends in a full stop");
        }
    }

    #[test]
    fn only_failures_keep_a_connection_from_being_saved() {
        assert!(all().iter().all(|entry| !entry.is_essential || entry.severity == Severity::Failed));
    }

    #[test]
    fn a_finding_is_read_back_as_it_was_kept() {
        for entry in all() {
            let finding = entry.found("seen").about("Contact");
            let kept = serde_json::to_string(&finding).unwrap();
            assert_eq!(serde_json::from_str::<Finding>(&kept).unwrap(), finding, "{kept}");
        }
    }
}
