//! Findings and errors, as pages show them.

use salesforce::{OAuthError, error::OAuthRefusal};

use super::{
    problem::capital,
    words::{BAD, Badge, CALM, GOOD, WARN},
};
use crate::{
    diagnose::{Finding, Severity, Who},
    error::Error,
};

/// What was found, and what to do about it.
#[derive(Debug, Clone)]
pub(super) struct FindingView {
    pub(super) badge: Badge,
    /// What it is about; empty for the connection itself.
    pub(super) subject: String,
    pub(super) seen: String,
    pub(super) cause: String,
    pub(super) remedy: String,
    pub(super) setup: Option<SetupView>,
    /// Who has to act.
    pub(super) who: String,
    pub(super) may_pass: String,
    pub(super) code: String,
}

/// A place in Setup.
#[derive(Debug, Clone)]
pub(super) struct SetupView {
    pub(super) path: String,
    pub(super) quick_find: String,
    pub(super) link: Option<String>,
}

pub(super) fn badge_of(severity: Severity) -> Badge {
    match severity {
        Severity::Ok => GOOD,
        Severity::Note => CALM.named("Note"),
        Severity::Warning => WARN,
        Severity::Failed => BAD,
    }
}

impl FindingView {
    pub(super) fn of(finding: &Finding) -> Self {
        let remedy = finding.remedy.as_ref();
        let setup = remedy.and_then(|remedy| remedy.setup.as_ref()).map(|setup| SetupView {
            path: setup.path.to_string(),
            quick_find: setup.quick_find.to_string(),
            link: setup.link.clone(),
        });
        Self {
            badge: badge_of(finding.severity),
            subject: finding.subject.clone(),
            seen: capital(&finding.seen),
            cause: capital(&finding.cause),
            remedy: remedy.map(|remedy| capital(&remedy.text)).unwrap_or_default(),
            setup,
            who: if finding.who == Who::Nobody { String::new() } else { finding.who.to_string() },
            may_pass: finding.may_pass.map(|may_pass| capital(&may_pass.to_string())).unwrap_or_default(),
            code: finding.code.to_string(),
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.badge.kind == "good"
    }

    /// What an error page of Salesforce's means.
    pub(super) fn of_refusal(refusal: OAuthRefusal) -> Vec<Self> {
        Self::of_error(&Error::sign_in("Salesforce", OAuthError::Refused(Box::new(refusal))))
    }

    /// What an error means for whoever reads the page.
    pub(super) fn of_error(error: &Error) -> Vec<Self> {
        if let Some(finding) = error.finding() {
            return vec![Self::of(&finding)];
        }
        vec![Self {
            badge: BAD,
            subject: String::new(),
            seen: capital(&error.to_string()),
            cause: String::new(),
            remedy: error.remedy().as_deref().map(capital).unwrap_or_default(),
            setup: None,
            who: String::new(),
            may_pass: String::new(),
            code: error.code().to_owned(),
        }]
    }
}
