//! What a fault has decided about a job when it was created.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::faults::Effect;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Normal,
    Stuck,
    /// In progress until then.
    Slow(DateTime<Utc>),
    Fails(String),
    Aborted,
    /// So many rows, the first ones, are refused.
    FailsRows {
        rows: u64,
        code: String,
        message: String,
    },
    /// The job fails after so many rows, which stay written.
    GivesUp {
        after: u64,
        message: String,
    },
}

/// What a fate leaves of the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Work,
    /// Not now, and perhaps never.
    Wait,
    Fail(String),
    Abort,
}

impl Fate {
    pub(super) fn of(effect: Option<&Effect>, now: DateTime<Utc>) -> Self {
        match effect {
            Some(Effect::StuckJob) => Self::Stuck,
            Some(Effect::SlowJob { seconds }) => Self::Slow(now + Duration::from_secs(*seconds)),
            Some(Effect::AbortedJob) => Self::Aborted,
            Some(Effect::FailedJob { message }) => Self::Fails(message.clone()),
            Some(Effect::FailedRows { rows, code, message }) => {
                Self::FailsRows { rows: *rows, code: code.clone(), message: message.clone() }
            }
            Some(Effect::HalfDoneJob { after, message }) => Self::GivesUp { after: *after, message: message.clone() },
            _ => Self::Normal,
        }
    }

    /// What is to be done with a job in progress.
    pub(super) fn turn(&self, now: DateTime<Utc>) -> Turn {
        match self {
            Self::Stuck => Turn::Wait,
            Self::Slow(until) if now < *until => Turn::Wait,
            Self::Aborted => Turn::Abort,
            Self::Fails(message) => Turn::Fail(message.clone()),
            Self::Slow(_) | Self::Normal | Self::FailsRows { .. } | Self::GivesUp { .. } => Turn::Work,
        }
    }

    /// Whether a slow job has been at work for long enough.
    pub(super) fn is_ripe(&self, now: DateTime<Utc>) -> bool {
        matches!(self, Self::Slow(until) if now >= *until)
    }
}
