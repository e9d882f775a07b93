//! What is told while an org is examined.

use std::time::Duration;

use super::finding::{Finding, Layer};

/// A step of an examination.
#[derive(Debug)]
pub enum Step<'a> {
    /// A layer is looked at now.
    Begins(Layer),
    /// A check has judged.
    Found(&'a Finding),
    /// What was found may be a change in Setup that has not reached every server yet: it is tried again in `again_in`.
    /// Told once a second.
    Waiting {
        finding: &'a Finding,
        again_in: Duration,
        /// How long is waited at most from now on.
        left: Duration,
    },
    /// It is tried again now.
    Again,
}

/// Is told each step of an examination as it happens. Must return at once.
pub trait Checklist: Send + Sync {
    fn note(&self, step: Step<'_>);

    /// How long whoever follows is ready to wait for a change in Setup to take effect; no time unless said.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }

    /// True when waiting should end.
    fn is_stopped(&self) -> bool {
        false
    }
}

/// Tells nobody, and waits for nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Checklist for Quiet {
    fn note(&self, _step: Step<'_>) {}
}
