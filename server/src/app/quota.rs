//! What may be taken of each org's API quota, what was taken, and what waits for it.

use std::{sync::Arc, time::Duration};

use salesforce::{
    Client, Timestamp,
    quota::{OverBudget, Spend},
};
use serde::Serialize;

use super::{App, import::calls::Calls};
use crate::{
    counts::grouped,
    error::Error,
    quota::{Budget, Heard, OwnRules, Priority, Rules, Standing, governor::OrgGovernor, slowdown},
    store::{
        StoreError,
        connections::Connection,
        journal::Actor,
        quotas::Regular,
        runs::{Run, RunState},
        streams::Stream,
    },
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How the API quota of a connection's org stands. All connections of the org share it.
#[derive(Debug, Clone, Serialize)]
pub struct QuotaStatus {
    pub org_id: String,
    /// Taken by this installation within 24 hours.
    pub calls: u64,
    pub jobs: u64,
    pub budget: Budget,
    pub rules: Rules,
    /// What the org said last of all programs together; `None`: nothing yet, and the budget is an assumption.
    pub org: Option<Heard>,
    /// The org's calls that are left to others.
    pub reserve: u64,
    /// API calls in 24 hours that the schedules of the org's streams need, as they are written.
    pub scheduled_calls: u64,
    /// Schedules whose intervals are longer than they are written, to stay within the budget.
    pub slowed: Vec<Slowed>,
    pub waiting: Option<Waiting>,
}

/// A schedule that is slowed down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Slowed {
    pub written: String,
    /// As it runs.
    pub runs: String,
}

/// Nothing runs by itself until calls are free.
#[derive(Debug, Clone, Serialize)]
pub struct Waiting {
    pub reason: String,
    pub until: Timestamp,
    /// What is still to be read, in words: `Contact from record 12,001 on`.
    pub left: Vec<String>,
}

impl QuotaStatus {
    /// What a person should know of it now: what is slowed down, and what waits.
    pub fn notes(&self) -> Vec<String> {
        let slowed: Vec<String> =
            self.slowed.iter().map(|Slowed { written, runs }| format!("{runs} instead of {written}")).collect();
        let slowed = (!slowed.is_empty()).then(|| format!("slowed: {}, to stay within the budget", slowed.join(", ")));
        slowed.into_iter().chain(self.waits()).collect()
    }

    fn waits(&self) -> Option<String> {
        let Waiting { reason, left, .. } = self.waiting.as_ref()?;
        let left = if left.is_empty() { String::new() } else { format!("; left for then: {}", left.join(", ")) };
        Some(format!("waits for API calls: {reason}{left}"))
    }
}

impl App {
    /// A client that speaks for a stored connection, within the org's budget as far as that holds for `priority`.
    pub(crate) fn client_for(&self, connection: &Connection, priority: Priority) -> Client {
        let tokens = Arc::new(self.keeper(&connection.name));
        let client = Client::new(self.http.clone(), tokens, connection.api_version);
        client.governed_by(self.governor(&connection.org_id).of(priority))
    }

    /// Who keeps the budget of an org, for all callers of this process.
    pub(crate) fn governor(&self, org_id: &str) -> Arc<OrgGovernor> {
        let fresh = || {
            let (store, clock) = (Arc::clone(&self.store), self.clock.clone());
            Arc::new(OrgGovernor::new(store, clock, org_id, self.config.quota))
        };
        let mut governors = self.governors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(governors.entry(org_id.to_owned()).or_insert_with(fresh))
    }

    /// One client for the runs of a command, within the org's budget.
    pub(super) fn calls_of_runs(&self, connection: &Connection) -> Calls {
        Calls::within(self.client_for(connection, Priority::Run), self.governor(&connection.org_id))
    }

    /// Why no run of the org should begin now, if none should.
    pub(crate) async fn holds_runs_back(&self, org_id: &str) -> Result<Option<OverBudget>, StoreError> {
        Ok(self.governor(org_id).standing().await?.holds_runs_back())
    }

    /// True when so much of the org's budget is used that work which can wait should.
    pub(super) async fn is_for_another_day(&self, connection: &Connection) -> Result<bool, StoreError> {
        let standing = self.governor(&connection.org_id).standing().await?;
        let percent = self.config.background_percent;
        Ok(standing.shortage(Spend::Call, percent).is_some())
    }

    /// How many times as long the intervals of an org's schedules are to be.
    pub(crate) async fn slowed(&self, org_id: &str) -> Result<u32, StoreError> {
        let standing = self.governor(org_id).standing().await?;
        let regulars = self.store.regulars(org_id).await?;
        self.slowed_by(org_id, needed(&regulars), &standing).await
    }

    async fn slowed_by(&self, org_id: &str, needed: u64, standing: &Standing) -> Result<u32, StoreError> {
        let since = Timestamp(standing.now.0 - i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX));
        let of_syncs = self.store.sync_calls_since(org_id, since).await?;
        // What imports and people have taken is not there for schedules.
        let others = standing.calls().saturating_sub(of_syncs);
        Ok(slowdown(needed, standing.budget().calls.saturating_sub(others)))
    }

    /// How the quota of a connection's org stands. Asks the control store only.
    ///
    /// # Errors
    /// There is no such connection.
    pub async fn quota(&self, connection: &str) -> Result<QuotaStatus, Error> {
        let connection = self.store.connection(connection).await?;
        self.quota_of(&connection).await
    }

    /// Replaces what was decided about the quota of a connection's org; what is left out is as the configuration has it.
    ///
    /// # Errors
    /// There is no such connection.
    pub async fn decide_quota(
        &self,
        connection: &str,
        change: impl FnOnce(&mut OwnRules),
        actor: &Actor,
    ) -> Result<QuotaStatus, Error> {
        let connection = self.store.connection(connection).await?;
        let mut own = self.store.org_quota(&connection.org_id, self.now()).await?.own;
        change(&mut own);
        self.store.save_own_rules(&connection, &own, actor).await?;
        self.quota_of(&connection).await
    }

    pub(super) async fn quota_of(&self, connection: &Connection) -> Result<QuotaStatus, Error> {
        let org_id = &connection.org_id;
        let standing = self.governor(org_id).standing().await?;
        let regulars = self.store.regulars(org_id).await?;
        let scheduled_calls = needed(&regulars);
        let times = self.slowed_by(org_id, scheduled_calls, &standing).await?;
        let waiting = match standing.holds_runs_back() {
            Some(over) => Some(Waiting {
                reason: over.to_string(),
                until: over.free_at,
                left: self.left_for_later(connection).await?,
            }),
            None => None,
        };
        Ok(QuotaStatus {
            calls: standing.calls(),
            jobs: standing.jobs(),
            budget: standing.budget(),
            rules: standing.rules,
            org: standing.heard,
            reserve: standing.reserve(),
            scheduled_calls,
            slowed: slowed(&regulars, times),
            waiting,
            org_id: org_id.clone(),
        })
    }

    /// Records that a stream's latest runs have read which stopped before its end, one after the other.
    pub(super) async fn read_before(&self, stream_id: &str) -> Result<u64, StoreError> {
        const LOOKED_AT: u32 = 100;
        let runs = self.store.runs(stream_id, LOOKED_AT).await?;
        let ended = runs.iter().skip_while(|run| run.state == RunState::Running);
        let stopped = |run: &&Run| matches!(run.state, RunState::Waiting | RunState::Stopped | RunState::GaveWay);
        Ok(ended.take_while(stopped).map(|run| run.counts.read).sum())
    }

    /// The streams of a connection that stopped at the end of the budget, wait for it, or are not begun yet.
    async fn left_for_later(&self, connection: &Connection) -> Result<Vec<String>, StoreError> {
        let plans = self.store.plans(&connection.id).await?;
        let (now, drafts) = (self.now(), self.store.drafts(&connection.id).await?);
        let mut left = Vec::new();
        for stream in self.store.streams(&connection.id).await? {
            let is_due = plans.iter().any(|(id, plan)| *id == stream.id && plan.due_at().is_some_and(|at| at <= now));
            let last = self.store.runs(&stream.id, 1).await?.into_iter().next();
            let is_unread = last.is_none() && !drafts.contains(&stream.id);
            let waits = last.is_some_and(|run| run.state == RunState::Waiting);
            if is_due || waits || is_unread {
                let read = if waits { self.read_before(&stream.id).await? } else { 0 };
                left.push(still_to_do(&stream, read));
            }
        }
        Ok(left)
    }
}

/// A stream, and from where on it is still to be read.
fn still_to_do(stream: &Stream, read: u64) -> String {
    let name = if stream.object == stream.table { stream.object.clone() } else { stream.table.clone() };
    match read {
        0 => name,
        read => format!("{name} from record {} on", grouped(read + 1)),
    }
}

/// API calls that the schedules of these streams need in 24 hours.
fn needed(regulars: &[Regular]) -> u64 {
    let of_one = |regular: &Regular| regular.schedule.runs_a_day().saturating_mul(regular.millicalls);
    regulars.iter().map(of_one).fold(0, u64::saturating_add).div_ceil(1000)
}

/// The schedules that are slowed down, each once.
fn slowed(regulars: &[Regular], times: u32) -> Vec<Slowed> {
    let of_one = |regular: &Regular| Slowed {
        written: regular.schedule.to_string(),
        runs: regular.schedule.slowed(times).to_string(),
    };
    let mut slowed: Vec<Slowed> = regulars.iter().map(of_one).filter(|slowed| slowed.written != slowed.runs).collect();
    slowed.sort_by(|one, other| one.written.cmp(&other.written));
    slowed.dedup();
    slowed
}
