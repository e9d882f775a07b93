//! Whose turn it is, and what comes of a run. Pure.

use std::{collections::HashMap, time::Duration};

use salesforce::{Recovery, Timestamp, quota::Shortage};

use crate::{
    connection::state::ConnectionState,
    error::{Error, Exit},
    store::schedules::Due,
};

/// Before the second attempt; doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// No wait is longer, unless Salesforce asks for more.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// Between two attempts at something that a person has to change.
const PERSON_WAIT: Duration = Duration::from_secs(6 * 3600);
/// A fault of ours may lie in one answer, and so is tried again this often.
const FAULTS: u32 = 3;

/// So long a run keeps its worker, whoever waits: what a further turn costs (a first page or a result page read once more)
/// is little beside it, and a customer whose streams run every quarter of an hour is still served in time.
pub const SLICE: Duration = Duration::from_secs(600);
/// A run that was asked to give way is expected to be gone by then; otherwise the next one is asked as well. Some cannot:
/// they would begin anew.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run that has a worker of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    pub stream_id: String,
    pub customer_id: String,
    pub since: Timestamp,
    /// When it was asked to give way.
    pub asked_at: Option<Timestamp>,
}

impl UnderWay {
    fn has_had(&self, slice: Duration, now: Timestamp) -> bool {
        now >= self.since.after(slice)
    }

    fn is_going(&self, now: Timestamp) -> bool {
        self.asked_at.is_some_and(|asked_at| now < asked_at.after(PATIENCE))
    }
}

/// What comes after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The schedule says when.
    OnSchedule,
    /// Nothing is counted and it stays due: another process runs it, its connection waits, its org has no calls left for
    /// it, or this process ends.
    StillDue,
    /// Nothing is counted, and it is due again then: there are no Bulk jobs for it before.
    Wait { wait: Duration },
    /// It passes by itself.
    Retry { wait: Duration },
    /// A person has to change something, here or in the org. In case somebody has, it is tried now and then.
    Person { wait: Duration },
    /// Nothing more happens before a person asks for it.
    Stop,
}

/// What follows from an error, after so many failures before it.
pub fn after(error: &Error, failures: u32) -> Next {
    if error.exit() == Exit::Busy || matches!(error, Error::Paused { .. } | Error::SandboxRefreshed { .. }) {
        return Next::StillDue;
    }
    if let Some(over) = error.over_budget() {
        return match over.shortage {
            // Nothing of the org begins before there are calls.
            Shortage::Calls { .. } | Shortage::Reserve { .. } => Next::StillDue,
            Shortage::Jobs { .. } => Next::Wait { wait: over.after },
        };
    }
    match error.recovery() {
        Recovery::Retry { after } => Next::Retry { wait: wait(failures).max(after.unwrap_or_default()) },
        Recovery::Reauthorize | Recovery::Configure | Recovery::Reject => Next::Person { wait: PERSON_WAIT },
        Recovery::Bug if failures < FAULTS => Next::Retry { wait: wait(failures) },
        Recovery::Bug => Next::Stop,
    }
}

fn wait(failures: u32) -> Duration {
    FIRST_WAIT.saturating_mul(2_u32.saturating_pow(failures)).min(LONGEST_WAIT)
}

/// Whether a stream that is due may begin now. One that may not waits, and nothing is counted.
pub fn may_run(due: &Due, now: Timestamp) -> bool {
    !due.switches.paused && is_ready(&due.state, now)
}

/// Whether a connection in this state can be expected to give a session.
pub fn is_ready(state: &ConnectionState, now: Timestamp) -> bool {
    match state {
        ConnectionState::Connected { .. } => true,
        ConnectionState::Degraded { retry_at, .. } => now >= *retry_at,
        // What may still come right there is tried by whoever keeps connections alive.
        ConnectionState::Pending { .. }
        | ConnectionState::NeedsReauthorization { .. }
        | ConnectionState::SandboxRefreshed { .. }
        | ConnectionState::Disconnected { .. } => false,
    }
}

/// Customers in turn, the one that was served longest ago first; of each what a person asks for, then what has waited
/// longest.
pub fn in_order(mut due: Vec<Due>) -> Vec<Due> {
    let key =
        |due: &Due| (due.customer_turn, due.customer_id.clone(), !due.is_wanted, due.since, due.stream_id.clone());
    due.sort_by_cached_key(key);
    let mut seen: HashMap<String, usize> = HashMap::new();
    let round = |due: Due| {
        let seen = seen.entry(due.customer_id.clone()).or_default();
        *seen += 1;
        (*seen, due)
    };
    let mut rounds: Vec<(usize, Due)> = due.into_iter().map(round).collect();
    rounds.sort_by_key(|(round, _)| *round);
    rounds.into_iter().map(|(_, due)| due).collect()
}

/// What is due, in its order, but customers who have a run under way here after those who have none: for these a worker
/// was given up.
pub fn others_first(mut due: Vec<Due>, under_way: &[UnderWay]) -> Vec<Due> {
    due.sort_by_key(|due| is_served(due, under_way));
    due
}

/// What is due and would begin if there were a worker, of customers who have no run under way here. In order.
pub fn waiting(due: Vec<Due>, under_way: &[UnderWay], now: Timestamp) -> Vec<Due> {
    in_order(due).into_iter().filter(|due| may_run(due, now) && !is_served(due, under_way)).collect()
}

fn is_served(due: &Due, under_way: &[UnderWay]) -> bool {
    under_way.iter().any(|run| run.customer_id == due.customer_id)
}

/// True when a run could be asked to give way: it has had its worker for a slice.
pub fn could_give_way(under_way: &[UnderWay], now: Timestamp) -> bool {
    under_way.iter().any(|run| run.asked_at.is_none() && run.has_had(SLICE, now))
}

/// The run that is to give its worker up, when all are taken and so many other customers wait: the one that has had it
/// for longest, if that is a slice or more. None while as many are going already as customers wait.
pub fn gives_way(under_way: &[UnderWay], customers_waiting: usize, now: Timestamp) -> Option<&UnderWay> {
    if under_way.iter().filter(|run| run.is_going(now)).count() >= customers_waiting {
        return None;
    }
    let could = under_way.iter().filter(|run| run.asked_at.is_none() && run.has_had(SLICE, now));
    could.min_by_key(|run| run.since)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use salesforce::{ApiError, error::WireError};

    use super::*;
    use crate::{
        schedule::when::Schedule,
        store::{StoreError, care::Switches},
    };

    fn due(customer: u8, customer_turn: i64, since: i64, is_wanted: bool) -> Due {
        Due {
            stream_id: format!("str_{customer}_{since}_{is_wanted}"),
            object: "Account".into(),
            connection: format!("connection{customer}"),
            customer_id: format!("cus_{customer}"),
            org_id: format!("org{customer}"),
            state: ConnectionState::Connected { since: Timestamp(0) },
            switches: Switches::default(),
            since: Timestamp(since),
            is_wanted,
            schedule: Schedule::None,
            failures: 0,
            trouble: None,
            turn: 0,
            customer_turn,
        }
    }

    fn unreachable() -> Error {
        Error::Store(StoreError::Unreachable { place: "db".into(), reason: "down".into() })
    }

    #[test]
    fn a_passing_failure_is_tried_again_after_waits_that_double_up_to_an_hour() {
        let waits: Vec<u64> = (0..10)
            .map(|failures| match after(&unreachable(), failures) {
                Next::Retry { wait } => wait.as_secs(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert!(matches!(after(&unreachable(), u32::MAX), Next::Retry { wait: LONGEST_WAIT }));
    }

    #[test]
    fn salesforce_is_left_alone_for_as_long_as_it_asks() {
        let asked = Duration::from_secs(7200);
        let maintenance =
            WireError::Maintenance { host: "acme".into(), status: 503, title: String::new(), retry_after: Some(asked) };
        let error = Error::api("acme", ApiError::Wire { doing: "reading".into(), cause: maintenance });
        assert_eq!(after(&error, 0), Next::Retry { wait: asked });
    }

    #[test]
    fn what_a_person_has_to_change_is_tried_rarely_and_a_fault_of_ours_ends_it_after_some_attempts() {
        let unknown = StoreError::Unknown { kind: "stream", name: "x".into(), known: Vec::new() };
        assert_eq!(after(&Error::Store(unknown), 7), Next::Person { wait: PERSON_WAIT });
        let fault = Error::Store(StoreError::Corrupt { reason: "x".into() });
        assert!(matches!(after(&fault, 2), Next::Retry { .. }));
        assert_eq!(after(&fault, 3), Next::Stop);
    }

    #[test]
    fn a_stream_that_another_process_runs_or_whose_connection_is_paused_counts_no_failure() {
        let taken = StoreError::Fenced { name: "stream".into(), epoch: 3 };
        assert_eq!(after(&Error::Store(taken), 3), Next::StillDue);
        assert_eq!(after(&Error::Paused { connection: "acme".into() }, 3), Next::StillDue);
        let waiting = |shortage| {
            let over = salesforce::quota::OverBudget { shortage, free_at: Timestamp(5), after: PERSON_WAIT };
            Error::Waiting { object: "Account".into(), read: 7, source: Box::new(over) }
        };
        assert_eq!(after(&waiting(Shortage::Calls { used: 200, budget: 200 }), 3), Next::StillDue);
        let no_jobs = waiting(Shortage::Jobs { used: 9, budget: 9 });
        assert_eq!(after(&no_jobs, 3), Next::Wait { wait: PERSON_WAIT }, "others may read by REST meanwhile");
    }

    #[test]
    fn a_connection_that_waits_for_a_person_or_a_moment_is_waited_for() {
        let now = Timestamp(1_000);
        let degraded = |retry_at| ConnectionState::Degraded {
            since: Timestamp(0),
            attempts: 1,
            retry_at: Timestamp(retry_at),
            reason: String::new(),
        };
        let refused =
            ConnectionState::NeedsReauthorization { since: now, reason: String::new(), retry_at: Some(Timestamp(0)) };
        assert!(is_ready(&ConnectionState::Connected { since: now }, now));
        assert!(is_ready(&degraded(1_000), now) && !is_ready(&degraded(1_001), now));
        assert!(!is_ready(&refused, now) && !is_ready(&ConnectionState::Disconnected { at: now }, now));
        let mut paused = due(1, 0, 0, false);
        paused.switches.paused = true;
        assert!(!may_run(&paused, now));
    }

    #[test]
    fn the_customer_served_longest_ago_comes_first_and_what_a_person_asks_for_first_of_its_customer() {
        let order = in_order(vec![
            due(1, 9, 10, false),
            due(1, 9, 99, true),
            due(1, 9, 20, false),
            due(2, 3, 50, false),
            due(3, 4, 60, false),
            due(3, 4, 40, false),
        ]);
        let order: Vec<(&str, i64)> = order.iter().map(|due| (due.customer_id.as_str(), due.since.0)).collect();
        let expected = [("cus_2", 50), ("cus_3", 40), ("cus_1", 99), ("cus_3", 60), ("cus_1", 10), ("cus_1", 20)];
        assert_eq!(order, expected);
    }

    fn under_way(customer: u8, minute: i64, asked: Option<i64>) -> UnderWay {
        UnderWay {
            stream_id: format!("str_{customer}_{minute}"),
            customer_id: format!("cus_{customer}"),
            since: minutes(minute),
            asked_at: asked.map(minutes),
        }
    }

    fn minutes(minutes: i64) -> Timestamp {
        Timestamp(minutes * 60_000)
    }

    #[test]
    fn the_run_that_has_had_its_worker_for_longest_gives_way_after_a_slice_and_one_for_each_customer_who_waits() {
        let mut runs = vec![under_way(1, 3, None), under_way(2, 0, None), under_way(3, 4, None)];
        assert!(!could_give_way(&runs, minutes(9)) && gives_way(&runs, 1, minutes(9)).is_none(), "not before a slice");
        assert!(could_give_way(&runs, minutes(10)));
        assert_eq!(gives_way(&runs, 1, minutes(20)), Some(&runs[1]));
        assert_eq!(gives_way(&runs, 0, minutes(20)), None, "nobody waits");
        runs[1].asked_at = Some(minutes(20));
        assert_eq!(gives_way(&runs, 1, minutes(20)), None, "its worker is on its way to the one who waits");
        assert_eq!(gives_way(&runs, 2, minutes(20)), Some(&runs[0]), "another customer waits, too");
        assert_eq!(gives_way(&runs, 1, minutes(21)), Some(&runs[0]), "the first one cannot go");
        runs[0].asked_at = Some(minutes(21));
        assert_eq!(gives_way(&runs, 1, minutes(21)), None);
    }

    #[test]
    fn only_a_customer_without_a_run_who_may_run_is_given_way_to_and_has_the_worker_then() {
        let runs = [under_way(1, 0, None), under_way(2, 0, None)];
        let mut paused = due(4, 0, 10, false);
        paused.switches.paused = true;
        let all = vec![due(1, 0, 10, true), due(3, 7, 10, false), due(3, 7, 5, false), paused];
        let waits: Vec<(String, i64)> =
            waiting(all.clone(), &runs, minutes(1)).into_iter().map(|due| (due.customer_id, due.since.0)).collect();
        assert_eq!(waits, [("cus_3".to_owned(), 5), ("cus_3".to_owned(), 10)]);
        let order: Vec<String> = others_first(in_order(all), &runs).into_iter().map(|due| due.customer_id).collect();
        assert_eq!(order, ["cus_4", "cus_3", "cus_3", "cus_1"]);
    }

    proptest! {
        #[test]
        fn no_customer_is_two_ahead_of_another_that_still_waits(all in proptest::collection::vec((0_u8..6, 0_i64..9, 0_i64..50, any::<bool>()), 0..60)) {
            let turns: BTreeMap<u8, i64> = all.iter().map(|(customer, turn, ..)| (*customer, *turn)).collect();
            let due: Vec<Due> = all.iter().map(|(customer, _, since, wanted)| due(*customer, turns[customer], *since, *wanted)).collect();
            let mut left: BTreeMap<String, i64> = BTreeMap::new();
            due.iter().for_each(|due| *left.entry(due.customer_id.clone()).or_default() += 1);
            let mut had: BTreeMap<String, i64> = left.keys().map(|customer| (customer.clone(), 0)).collect();
            let ordered = in_order(due);
            prop_assert_eq!(ordered.len(), all.len());
            for due in &ordered {
                *had.get_mut(&due.customer_id).unwrap() += 1;
                *left.get_mut(&due.customer_id).unwrap() -= 1;
                let most = *had.values().max().unwrap();
                for (customer, left) in &left {
                    prop_assert!(*left == 0 || had[customer] + 1 >= most);
                }
            }
        }
    }
}
