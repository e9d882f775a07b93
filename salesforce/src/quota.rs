//! Who says whether a request may be spent: an org's allowances are shared with everybody else who uses it.

use std::{fmt, time::Duration};

use futures_util::future::BoxFuture;

use crate::time::Timestamp;

/// What a request takes from the org's allowances of 24 hours when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spend {
    /// An API call (`DailyApiRequests`).
    Call,
    /// An API call that makes a Bulk API 2.0 query job (`DailyBulkV2QueryJobs`).
    Job,
}

/// Decides whether a client may spend, and hears what the org says of its quota.
///
/// Asked before each attempt that counts against the quota, the first one and each that repeats it; what is admitted is
/// spent, whatever becomes of the request. May be asked by several tasks at once.
pub trait Governor: Send + Sync {
    /// Admits one request; may take as long as a look into a database.
    fn admit(&self, spend: Spend) -> BoxFuture<'_, Result<(), Withheld>>;

    /// The API calls of all clients in the last 24 hours and how many there may be, by `Sforce-Limit-Info`. Must return at
    /// once.
    fn heard(&self, used: u64, max: u64);
}

/// Why a request was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    /// Whoever keeps the budget does not answer.
    #[error("nothing is sent while it is not known what is left of the budget of API calls: {reason}")]
    Unknown { reason: String },
}

impl Withheld {
    /// How long it lasts, where that is known.
    pub fn after(&self) -> Option<Duration> {
        match self {
            Self::OverBudget(over) => Some(over.after),
            Self::Unknown { .. } => None,
        }
    }
}

/// What is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// This program's share of the org's API calls.
    Calls { used: u64, budget: u64 },
    /// This program's share of the org's Bulk jobs.
    Jobs { used: u64, budget: u64 },
    /// The org's API calls, but for those that are left to others.
    Reserve { used: u64, max: u64, reserve: u64 },
}

/// A request was not sent because a budget of 24 hours is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{shortage}; {}", free_again(*free_at))]
pub struct OverBudget {
    pub shortage: Shortage,
    /// When enough is free again to go on.
    pub free_at: Timestamp,
    /// How long that is from now.
    pub after: Duration,
}

impl fmt::Display for Shortage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calls { used, budget } => {
                write!(out, "{used} of the {budget} API calls that may be made in 24 hours are used")
            }
            Self::Jobs { used, budget } => {
                write!(out, "{used} of the {budget} Bulk jobs that may be made in 24 hours are used")
            }
            Self::Reserve { used, max, reserve } => {
                write!(
                    out,
                    "all programs together have used {used} of the org's {max} API calls, of which the last {reserve} are left to others"
                )
            }
        }
    }
}

fn free_again(at: Timestamp) -> String {
    let text = at.to_string();
    let minute = text.get(..16).unwrap_or(&text).replacen('T', " ", 1);
    format!("enough are free again at {minute}Z")
}
