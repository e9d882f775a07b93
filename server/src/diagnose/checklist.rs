//! What is told while an org is examined.

use salesforce::Timestamp;

use super::Finding;

/// A step of an examination.
#[derive(Debug)]
pub enum Step<'a> {
    /// Something is asked now; the words say what.
    Asking(&'a str),
    /// A check has judged.
    Found(&'a Finding),
    /// What was refused may pass by itself; it is asked again then.
    Waiting { until: Timestamp, finding: &'a Finding },
}

/// Is told each step of an examination as it happens. Must return at once.
pub trait Checklist: Send + Sync {
    fn note(&self, step: Step<'_>);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Checklist for Quiet {
    fn note(&self, _step: Step<'_>) {}
}
