//! What this installation may take of an org's API quota, and what it has taken. Pure.
//!
//! Salesforce counts calls over a rolling 24 hours. Here they are counted by the hour, in the store, so that processes share
//! one budget ([`governor`]).

pub mod governor;

use std::time::Duration;

use salesforce::{
    Timestamp,
    quota::{OverBudget, Shortage, Spend},
};
use serde::{Deserialize, Serialize};

const HOUR_MILLIS: i64 = 3_600_000;
/// A call of the last minute of an hour counts until 24 hours later: with that hour, 25 are looked at.
const WINDOW_HOURS: i64 = 25;
/// Bulk API 2.0 query jobs of an org in 24 hours (`DailyBulkV2QueryJobs`; Bulk API 2.0 guide v66, "Limits").
const JOBS_OF_AN_ORG: u64 = 10_000;
/// What an org has at least, until it has said what it has: that of a Developer Edition (app limits cheat sheet).
const ASSUMED_CALLS: u64 = 15_000;
/// What an org said of its quota is believed for so long. Then one call is made to hear it anew.
const HEARD_IS_FRESH: Duration = Duration::from_secs(30 * 60);
/// A run is begun only where so many calls are free: a twentieth of the budget, and ten at most. With fewer it would ask
/// where it was, and stop again.
fn enough_to_begin(budget: u64) -> u64 {
    (budget / 20).clamp(1, 10)
}

/// How much of each org's quota may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rules {
    /// Of the calls, and of the Bulk jobs, that the org has in 24 hours.
    pub share_percent: u64,
    /// Runs stop while all programs together have left less than this of the org's calls.
    pub reserve_percent: u64,
    /// No more calls in 24 hours, whatever the share.
    pub daily_calls: Option<u64>,
    /// No more Bulk jobs in 24 hours, whatever the share.
    pub daily_bulk_jobs: Option<u64>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { share_percent: 50, reserve_percent: 10, daily_calls: None, daily_bulk_jobs: None }
    }
}

/// What a person has decided for one org, in place of the configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnRules {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_percent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserve_percent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_calls: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_bulk_jobs: Option<u64>,
}

impl Rules {
    /// These, with what was decided for one org in their place.
    #[must_use]
    pub fn with(self, own: &OwnRules) -> Self {
        Self {
            share_percent: own.share_percent.unwrap_or(self.share_percent),
            reserve_percent: own.reserve_percent.unwrap_or(self.reserve_percent),
            daily_calls: own.daily_calls.or(self.daily_calls),
            daily_bulk_jobs: own.daily_bulk_jobs.or(self.daily_bulk_jobs),
        }
    }
}

/// What an org said of its calls: those of all programs within 24 hours, and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Heard {
    pub used: u64,
    pub max: u64,
    pub at: Timestamp,
}

/// How many calls and jobs may be taken in 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Budget {
    pub calls: u64,
    pub jobs: u64,
}

impl Budget {
    /// So many percent of it.
    #[must_use]
    pub fn part(self, percent: u64) -> Self {
        Self { calls: percent_of(self.calls, percent), jobs: percent_of(self.jobs, percent) }
    }
}

/// What was taken in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// Since 1970.
    pub number: i64,
    pub calls: u64,
    pub jobs: u64,
}

/// For whom calls are made. What a person waits for may always be asked; it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// A check, a preview, a look at objects: refused by nobody but the org.
    Person,
    /// Imports and syncs: within the budget.
    Run,
}

/// How an org's quota stands for this installation.
#[derive(Debug, Clone)]
pub struct Standing {
    pub rules: Rules,
    pub heard: Option<Heard>,
    /// The hours that still count, oldest first.
    pub hours: Vec<Hour>,
    pub now: Timestamp,
}

/// The number of the hour since 1970.
pub fn hour_of(moment: Timestamp) -> i64 {
    moment.0.div_euclid(HOUR_MILLIS)
}

/// Hours up to this one count no more.
pub fn last_forgotten(now: Timestamp) -> i64 {
    hour_of(now) - WINDOW_HOURS
}

fn percent_of(number: u64, percent: u64) -> u64 {
    number.saturating_mul(percent) / 100
}

impl Standing {
    pub fn budget(&self) -> Budget {
        let of_org = self.heard.map_or(ASSUMED_CALLS, |heard| heard.max);
        let at_most = |share: u64, cap: Option<u64>| cap.map_or(share, |cap| share.min(cap));
        Budget {
            calls: at_most(percent_of(of_org, self.rules.share_percent), self.rules.daily_calls),
            jobs: at_most(percent_of(JOBS_OF_AN_ORG, self.rules.share_percent), self.rules.daily_bulk_jobs),
        }
    }

    /// Taken within 24 hours.
    pub fn calls(&self) -> u64 {
        self.hours.iter().map(|hour| hour.calls).sum()
    }

    /// Taken within 24 hours.
    pub fn jobs(&self) -> u64 {
        self.hours.iter().map(|hour| hour.jobs).sum()
    }

    /// The org's calls that are left to others.
    pub fn reserve(&self) -> u64 {
        percent_of(self.heard.map_or(ASSUMED_CALLS, |heard| heard.max), self.rules.reserve_percent)
    }

    /// Why nothing may be spent, if it may not. `percent` of the budget, and of what the org has, may be used.
    pub fn shortage(&self, spend: Spend, percent: u64) -> Option<OverBudget> {
        let Budget { calls, jobs } = self.budget().part(percent);
        if self.calls() >= calls {
            return Some(self.over_calls(calls));
        }
        if spend == Spend::Job && self.jobs() >= jobs {
            let shortage = Shortage::Jobs { used: self.jobs(), budget: jobs };
            return Some(self.over(shortage, self.free_at(|hour| hour.jobs, jobs, 1)));
        }
        self.over_reserve(percent)
    }

    /// Why no run should begin now, if none should.
    pub fn holds_runs_back(&self) -> Option<OverBudget> {
        let budget = self.budget().calls;
        if budget.saturating_sub(self.calls()) < enough_to_begin(budget) {
            return Some(self.over_calls(budget));
        }
        self.over_reserve(100)
    }

    fn over_calls(&self, budget: u64) -> OverBudget {
        let free_at = self.free_at(|hour| hour.calls, budget, enough_to_begin(budget));
        self.over(Shortage::Calls { used: self.calls(), budget }, free_at)
    }

    /// The org as a whole has too little left, as far as that is known.
    fn over_reserve(&self, percent: u64) -> Option<OverBudget> {
        let Heard { used, max, at } = self.heard?;
        let believed_until = at.after(HEARD_IS_FRESH);
        let left_to_others = self.reserve().max(max - percent_of(max, percent.min(100)));
        let is_short = max.saturating_sub(used) <= left_to_others && left_to_others > 0;
        let shortage = Shortage::Reserve { used, max, reserve: left_to_others };
        (is_short && self.now < believed_until).then(|| self.over(shortage, believed_until))
    }

    fn over(&self, shortage: Shortage, free_at: Timestamp) -> OverBudget {
        let millis = u64::try_from(free_at.0.saturating_sub(self.now.0)).unwrap_or(0);
        OverBudget { shortage, free_at, after: Duration::from_millis(millis) }
    }

    /// When so many of a budget are free, as far as anything gets free.
    fn free_at(&self, of: fn(&Hour) -> u64, budget: u64, wanted: u64) -> Timestamp {
        let mut used: u64 = self.hours.iter().map(of).sum();
        let mut at = self.now;
        for hour in &self.hours {
            if budget.saturating_sub(used) >= wanted {
                break;
            }
            used -= of(hour);
            at = Timestamp((hour.number + WINDOW_HOURS) * HOUR_MILLIS);
        }
        // Nothing is in use, and it is not enough: whoever decides that may decide otherwise by tomorrow.
        if at == self.now { Timestamp((hour_of(self.now) + WINDOW_HOURS - 1) * HOUR_MILLIS) } else { at }
    }
}

/// How much longer the intervals of schedules are to be, so that what they need in 24 hours fits into what is there for
/// them: 1 leaves them alone. Never more than eightfold: beyond that, waiting says it better.
pub fn slowdown(needed_calls: u64, available_calls: u64) -> u32 {
    const MOST: u64 = 8;
    let times = needed_calls.div_ceil(available_calls.max(1)).clamp(1, MOST);
    u32::try_from(times).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000 * HOUR_MILLIS + 60_000);

    fn standing(rules: Rules, heard: Option<(u64, u64)>, hours: &[(i64, u64)]) -> Standing {
        let hour = |(ago, calls): &(i64, u64)| Hour { number: hour_of(NOW) - ago, calls: *calls, jobs: 0 };
        let heard = heard.map(|(used, max)| Heard { used, max, at: NOW });
        Standing { rules, heard, hours: hours.iter().map(hour).collect(), now: NOW }
    }

    #[test]
    fn a_budget_is_a_share_of_what_the_org_has_and_no_more_than_its_cap() {
        let rules = Rules::default();
        assert_eq!(standing(rules, None, &[]).budget(), Budget { calls: 7_500, jobs: 5_000 });
        assert_eq!(standing(rules, Some((0, 100_000)), &[]).budget().calls, 50_000);
        let own = OwnRules { daily_calls: Some(200), share_percent: Some(1), ..OwnRules::default() };
        let capped = rules.with(&own);
        assert_eq!(standing(capped, Some((0, 100_000)), &[]).budget(), Budget { calls: 200, jobs: 100 });
        assert_eq!(standing(capped, Some((0, 5_000)), &[]).budget().calls, 50);
    }

    #[test]
    fn calls_are_free_again_when_the_hour_in_which_they_were_made_is_a_day_old_to_its_end() {
        let rules = Rules { daily_calls: Some(100), ..Rules::default() };
        let over = standing(rules, None, &[(24, 4), (20, 50), (0, 46)]).shortage(Spend::Call, 100).unwrap();
        assert_eq!(over.shortage, Shortage::Calls { used: 100, budget: 100 });
        // Four are too few to begin anything with; those of twenty hours ago do.
        assert_eq!(over.free_at, Timestamp((hour_of(NOW) - 20 + 25) * HOUR_MILLIS));
        assert_eq!(over.after, Duration::from_secs(5 * 3600 - 60));
        let nearly = standing(rules, None, &[(3, 96)]);
        assert_eq!(nearly.shortage(Spend::Call, 100), None, "what runs already has the last four");
        assert!(nearly.holds_runs_back().is_some(), "and nothing begins with them");
    }

    #[test]
    fn the_reserve_of_the_org_is_left_to_others_for_as_long_as_what_it_said_is_fresh() {
        let used = |used| standing(Rules::default(), Some((used, 1_000)), &[]);
        assert_eq!(used(899).shortage(Spend::Call, 100), None);
        let over = used(900).shortage(Spend::Call, 100).unwrap();
        assert_eq!(over.shortage, Shortage::Reserve { used: 900, max: 1_000, reserve: 100 });
        let later = Standing { now: over.free_at, ..used(900) };
        assert_eq!(later.shortage(Spend::Call, 100), None, "one call hears how it is now");
        assert!(used(500).shortage(Spend::Call, 50).is_some() && used(499).shortage(Spend::Call, 50).is_none());
    }

    #[test]
    fn what_can_wait_uses_a_part_of_the_budget_alone() {
        let rules = Rules { daily_calls: Some(100), ..Rules::default() };
        let standing = standing(rules, None, &[(1, 50)]);
        assert!(standing.shortage(Spend::Call, 50).is_some());
        assert_eq!(standing.shortage(Spend::Call, 100), None);
    }

    #[test]
    fn a_budget_of_nothing_admits_nothing_and_says_tomorrow() {
        let over = standing(Rules { daily_calls: Some(0), ..Rules::default() }, None, &[]).holds_runs_back().unwrap();
        assert_eq!(over.free_at, Timestamp((hour_of(NOW) + 24) * HOUR_MILLIS));
    }

    #[test]
    fn intervals_are_stretched_by_as_much_as_the_schedules_need_too_much() {
        for (needed, available, times) in [(0, 0, 1), (100, 100, 1), (101, 100, 2), (288, 200, 2), (900, 100, 8)] {
            assert_eq!(slowdown(needed, available), times, "{needed} of {available}");
        }
    }

    proptest! {
        #[test]
        fn when_calls_are_said_to_be_free_they_are(budget in 1_u64..500, spent in proptest::collection::vec((0_i64..25, 0_u64..200), 0..25)) {
            let mut hours = spent;
            hours.sort_by_key(|(ago, _)| -ago);
            let rules = Rules { daily_calls: Some(budget), ..Rules::default() };
            let standing = standing(rules, None, &hours);
            if let Some(over) = standing.holds_runs_back() {
                let forgotten = last_forgotten(over.free_at);
                let then = Standing {
                    hours: standing.hours.iter().copied().filter(|hour| hour.number > forgotten).collect(),
                    now: over.free_at,
                    ..standing
                };
                prop_assert_eq!(then.holds_runs_back(), None);
                prop_assert!(over.free_at.0 - NOW.0 <= 25 * HOUR_MILLIS);
            }
        }
    }
}
