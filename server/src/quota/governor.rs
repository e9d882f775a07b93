//! Admits calls within an org's budget, which all processes on a store share.
//!
//! A process takes some calls at a time from the store, in one transaction that never takes more than is left, and spends
//! them here. What it has not spent it gives back when a run ends or the hour does; a process that dies loses its grant,
//! which then counts as spent. Grants get smaller with what is left, so that a budget is used to its last call.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{FutureExt, future::BoxFuture};
use salesforce::{
    Timestamp,
    quota::{Governor, Spend, Withheld},
};
use tokio::sync;

use super::{Heard, Priority, Rules, Standing, hour_of};
use crate::{
    clock::SharedClock,
    store::{
        Store, StoreError,
        quotas::{Grant, Taken},
    },
};

/// A grant is no larger.
const LARGEST_GRANT: u64 = 32;
/// And no larger than this part of what is left.
const PART_OF_WHAT_IS_LEFT: u64 = 16;
/// Each attempt that fails means that somebody else has taken some.
const ATTEMPTS: u32 = 64;

/// One org's budget, as one process sees it.
pub struct OrgGovernor {
    store: Arc<Store>,
    clock: SharedClock,
    org_id: String,
    rules: Rules,
    granted: sync::Mutex<Granted>,
    heard: Mutex<Option<Heard>>,
}

/// What this process has taken and not spent.
#[derive(Default)]
struct Granted {
    hour: i64,
    calls: u64,
    /// As they stood when it was taken.
    rules: Option<Rules>,
}

/// Asks for one client.
struct Asker {
    org: Arc<OrgGovernor>,
    priority: Priority,
}

impl OrgGovernor {
    pub fn new(store: Arc<Store>, clock: SharedClock, org_id: &str, rules: Rules) -> Self {
        let (granted, heard) = (sync::Mutex::default(), Mutex::default());
        Self { store, clock, org_id: org_id.to_owned(), rules, granted, heard }
    }

    /// Who admits what a client of that priority asks.
    pub fn of(self: &Arc<Self>, priority: Priority) -> Arc<dyn Governor> {
        Arc::new(Asker { org: Arc::clone(self), priority })
    }

    /// How the org's quota stands now.
    ///
    /// # Errors
    /// The store cannot be had.
    pub async fn standing(&self) -> Result<Standing, StoreError> {
        let now = self.clock.now();
        let kept = self.store.org_quota(&self.org_id, now).await?;
        let heard = self.latest(kept.heard);
        Ok(Standing { rules: self.rules.with(&kept.own), heard, hours: kept.hours, now })
    }

    /// Gives back what is not spent, and keeps what the org has said.
    ///
    /// # Errors
    /// The store cannot be had; what was taken counts as spent.
    pub async fn settle(&self) -> Result<(), StoreError> {
        let mut granted = self.granted.lock().await;
        let unspent = std::mem::take(&mut *granted);
        self.store.give_back(&self.org_id, unspent.hour, unspent.calls, self.latest(None)).await
    }

    /// What the org said last, to this process or as it is `kept`.
    fn latest(&self, kept: Option<Heard>) -> Option<Heard> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_some_and(|kept| heard.is_none_or(|ours| ours.at < kept.at)) {
            *heard = kept;
        }
        *heard
    }

    async fn admit(&self, spend: Spend, priority: Priority) -> Result<(), Withheld> {
        let now = self.clock.now();
        match priority {
            Priority::Person => {
                if let Err(error) = self.take(spend, 1, None, now).await {
                    tracing::warn!(%error, "an API call that a person asks for is not counted");
                }
                Ok(())
            }
            Priority::Run => self.admit_run(spend, now).await,
        }
    }

    async fn admit_run(&self, spend: Spend, now: Timestamp) -> Result<(), Withheld> {
        let mut granted = self.granted.lock().await;
        if granted.hour != hour_of(now) {
            // A grant counts in its hour: spent later, it would be forgotten too early.
            let old = std::mem::take(&mut *granted);
            self.store.give_back(&self.org_id, old.hour, old.calls, None).await.map_err(unknown)?;
        }
        if let (Spend::Call, Some(rules), 1..) = (spend, granted.rules, granted.calls) {
            let standing = Standing { rules, heard: self.latest(None), hours: Vec::new(), now };
            if let Some(over) = standing.over_reserve(100) {
                return Err(over.into());
            }
            granted.calls -= 1;
            return Ok(());
        }
        let size = |left: u64| match spend {
            Spend::Call => (left / PART_OF_WHAT_IS_LEFT).clamp(1, LARGEST_GRANT),
            Spend::Job => 1,
        };
        let (calls, rules) = self.within(spend, size).await?;
        if spend == Spend::Call {
            *granted = Granted { hour: hour_of(now), calls: calls - 1, rules: Some(rules) };
        }
        Ok(())
    }

    /// Takes calls of the budget; `size` says how many of those that are left.
    async fn within(&self, spend: Spend, size: impl Fn(u64) -> u64) -> Result<(u64, Rules), Withheld> {
        for _ in 0..ATTEMPTS {
            let standing = self.standing().await.map_err(unknown)?;
            if let Some(over) = standing.shortage(spend, 100) {
                return Err(over.into());
            }
            let budget = standing.budget();
            let calls = size(budget.calls.saturating_sub(standing.calls()));
            let within = Grant { calls: budget.calls, jobs: budget.jobs };
            if self.take(spend, calls, Some(within), standing.now).await? {
                return Ok((calls, standing.rules));
            }
        }
        Err(Withheld::Unknown { reason: "too many take from it at once".to_owned() })
    }

    /// Takes so many calls from the store, and the job; false when that would be more than `within`.
    async fn take(&self, spend: Spend, calls: u64, within: Option<Grant>, now: Timestamp) -> Result<bool, Withheld> {
        let jobs = u64::from(spend == Spend::Job);
        let taken = Taken { calls, jobs, within, heard: self.latest(None) };
        self.store.take_quota(&self.org_id, now, &taken).await.map_err(unknown)
    }
}

impl Governor for Asker {
    fn admit(&self, spend: Spend) -> BoxFuture<'_, Result<(), Withheld>> {
        self.org.admit(spend, self.priority).boxed()
    }

    fn heard(&self, used: u64, max: u64) {
        let at = self.org.clock.now();
        *self.org.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(Heard { used, max, at });
    }
}

fn unknown(error: StoreError) -> Withheld {
    Withheld::Unknown { reason: error.to_string() }
}
