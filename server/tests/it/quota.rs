//! An org's API quota is shared with others: no more of it is taken than was decided, by all processes together, and what
//! that leaves undone is said, kept, and done when calls are free again.

mod days;

use std::{sync::Arc, time::Duration};

use emulator::{Effect, Scenario};
use orgtide::{
    app::import::StreamOutcome,
    clock::SharedClock,
    quota::{Priority, Rules, governor::OrgGovernor},
};
use salesforce::quota::{Shortage, Spend, Withheld};

use crate::{
    database::{Fixture, on_both_databases},
    describes::importing,
    org::{Acme, CLIENT_ID, CLIENT_SECRET, ORG, rows},
    schedule::{app_on, connect},
};

const HOUR: Duration = Duration::from_secs(3600);
const BUDGET: u64 = 203;

/// The part of a process that keeps an org's budget.
async fn process(fixture: &Fixture, rules: Rules) -> Arc<OrgGovernor> {
    let clock: SharedClock = fixture.clock.clone();
    Arc::new(OrgGovernor::new(Arc::new(fixture.open().await.unwrap()), clock, "00DgL00000ACME", rules))
}

/// Spends until nothing more is admitted, by several tasks at once; how much that was.
async fn spend_all(governor: &Arc<OrgGovernor>) -> u64 {
    let spend = |governor: Arc<OrgGovernor>| async move {
        let client = governor.of(Priority::Run);
        let mut spent = 0;
        while client.admit(Spend::Call).await.is_ok() {
            spent += 1;
        }
        spent
    };
    let tasks: Vec<_> = (0..6).map(|_| tokio::spawn(spend(Arc::clone(governor)))).collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await.unwrap();
    }
    sum
}

on_both_databases! {
    async fn two_processes_use_a_budget_to_its_last_call_and_never_more(fixture: Fixture) {
        let rules = Rules { daily_calls: Some(BUDGET), ..Rules::default() };
        let (one, two) = (process(&fixture, rules).await, process(&fixture, rules).await);
        let (first, second) = tokio::join!(spend_all(&one), spend_all(&two));
        assert_eq!(first + second, BUDGET, "{}", fixture.kind());
        let refused = one.of(Priority::Run).admit(Spend::Call).await.unwrap_err();
        let Withheld::OverBudget(over) = refused else { panic!("{refused}") };
        assert_eq!(over.shortage, Shortage::Calls { used: BUDGET, budget: BUDGET });
        one.of(Priority::Person).admit(Spend::Call).await.unwrap();
        assert_eq!(two.standing().await.unwrap().calls(), BUDGET + 1, "what a person asks is counted and not refused");

        fixture.clock.advance_by(24 * HOUR);
        assert_eq!(spend_all(&two).await, 0, "a call of the last minute of that hour is not a day old");
        fixture.clock.advance_by(HOUR);
        assert_eq!(spend_all(&two).await, BUDGET, "and all of them are, an hour later");
    }

    async fn what_is_taken_and_not_spent_goes_back_and_a_killed_process_counts_it_as_spent(fixture: Fixture) {
        let rules = Rules { daily_calls: Some(320), ..Rules::default() };
        let one = process(&fixture, rules).await;
        one.of(Priority::Run).admit(Spend::Call).await.unwrap();
        let granted = one.standing().await.unwrap().calls();
        assert_eq!(granted, 20, "a sixteenth of what is left");
        one.settle().await.unwrap();
        assert_eq!(one.standing().await.unwrap().calls(), 1);

        one.of(Priority::Run).admit(Spend::Call).await.unwrap();
        fixture.clock.advance_by(HOUR);
        one.of(Priority::Run).admit(Spend::Call).await.unwrap();
        let standing = one.standing().await.unwrap();
        assert_eq!(standing.hours[0].calls, 2, "what was left of the old hour has gone back to it");
        let taken = standing.calls();
        drop(one);
        let two = process(&fixture, rules).await;
        assert_eq!(two.standing().await.unwrap().calls(), taken);
        assert_eq!(spend_all(&two).await, 320 - taken);
    }

    async fn jobs_have_a_budget_of_their_own(fixture: Fixture) {
        let rules = Rules { daily_calls: Some(100), daily_bulk_jobs: Some(2), ..Rules::default() };
        let one = process(&fixture, rules).await;
        let run = one.of(Priority::Run);
        run.admit(Spend::Job).await.unwrap();
        run.admit(Spend::Job).await.unwrap();
        let refused = run.admit(Spend::Job).await.unwrap_err();
        assert!(refused.to_string().starts_with("2 of the 2 Bulk jobs"), "{refused}");
        assert_eq!(spend_all(&one).await, 98, "each job has cost a call");
    }

    async fn two_processes_that_import_at_once_send_an_org_no_more_calls_than_the_budget(fixture: Fixture) {
        let org = small_pages().await;
        let settings = [("ORGTIDE_QUOTA_DAILY_CALLS", "25")];
        let (one, two) = (app_on(&fixture, &org, &settings).await, app_on(&fixture, &org, &settings).await);
        connect(&one, "acme", ORG, (CLIENT_ID, CLIENT_SECRET)).await;
        let (begun, before) = (journalled(&org), one.quota("acme").await.unwrap().calls);
        let (first, second) =
            tokio::join!(importing(&one, &["Contact"]), importing(&two, &["Account", "Opportunity", "User"]));
        let waits = |outcomes: &[StreamOutcome]| {
            outcomes.iter().any(|it| it.result.as_ref().is_err_and(|error| error.over_budget().is_some()))
        };
        assert!(waits(&first) || waits(&second), "{first:?} {second:?}");
        let sent = counted_since(&org, begun) as u64;
        assert!(sent <= 25 - before, "{sent} and {before} before, {}", fixture.kind());
        assert_eq!(two.quota("acme").await.unwrap().calls, before + sent, "what was taken and not sent is given back");
    }

    async fn what_the_org_says_to_one_process_holds_another_back(fixture: Fixture) {
        let (one, two) = (process(&fixture, Rules::default()).await, process(&fixture, Rules::default()).await);
        let run = one.of(Priority::Run);
        run.admit(Spend::Call).await.unwrap();
        run.heard(95_000, 100_000);
        one.settle().await.unwrap();
        let refused = two.of(Priority::Run).admit(Spend::Call).await.unwrap_err();
        assert!(refused.to_string().contains("95000 of the org's 100000"), "{refused}");
        fixture.clock.advance_by(HOUR);
        two.of(Priority::Run).admit(Spend::Call).await.unwrap();
    }
}

/// Acme, whose answers hold twenty records; not connected yet.
async fn small_pages() -> Acme {
    let mut scenario = Scenario::builtin("acme").unwrap();
    (scenario.pages.rows_with_long_text, scenario.pages.wide_from_columns) = (20, 1);
    Acme::of(scenario).await
}

async fn with_small_pages() -> Acme {
    let acme = small_pages().await;
    acme.connect().await;
    acme
}

/// The calls that count, since the journal had so many entries.
fn counted_since(org: &Acme, before: usize) -> usize {
    let journal = org.emulator.control().journal();
    journal[before..]
        .iter()
        .filter(|entry| entry.route != "/services/data" && !entry.route.contains("/oauth2/"))
        .count()
}

fn journalled(org: &Acme) -> usize {
    org.emulator.control().journal().len()
}

#[tokio::test]
async fn an_import_that_meets_the_end_of_the_budget_says_what_is_left_and_goes_on_from_there() {
    let acme = with_small_pages().await;
    let begun = journalled(&acme);
    let set = acme.run("quota acme --calls 8").await;
    assert!(set.out.contains("0 of the 8 that may be made are used"), "{set:?}");
    let import = acme.run("import acme Contact Account --every 15m").await;
    assert_eq!(import.code, 8, "{import:?}");
    assert_eq!(counted_since(&acme, begun), 8);
    let said = format!("{}{}", import.out, import.err);
    assert!(said.contains("Contact      waits for API calls: 8 of the 8 API calls"), "{said}");
    assert!(said.contains("still to read: from record 121 on"), "{said}");
    assert!(said.contains("Account      waits for API calls") && said.contains("nothing of it is read yet"), "{said}");
    assert_eq!(rows(&acme.data().join("acme.db"), "SELECT count(*) FROM Contact"), 120);

    let runs = acme.run("runs acme Contact --json").await.json();
    assert_eq!((&runs["runs"][0]["state"], &runs["runs"][0]["reason"]), (&"waiting".into(), &"over_budget".into()));
    let json = acme.run("sync acme --json").await;
    let streams = json.json()["streams"].clone();
    assert_eq!((json.code, &streams[0]["outcome"], &streams[1]["outcome"]), (8, &"waiting".into(), &"waiting".into()));
    assert!(streams[0]["goes_on_at"].is_string(), "{streams}");
    assert_eq!(counted_since(&acme, begun), 8, "nothing is sent over the budget");
    let status = acme.run("status").await;
    let waits =
        "waits for API calls: 8 of the 8 API calls that may be made in 24 hours are used; enough are free again at ";
    assert!(status.out.contains(waits), "{status:?}");
    assert!(status.out.contains("left for then: ") && status.out.contains("Contact from record 121 on"), "{status:?}");
    assert!(status.out.contains("Account"), "{status:?}");

    let checked = acme.run("check acme").await;
    assert!(matches!(checked.code, 0 | 7) && counted_since(&acme, begun) > 8, "a person may look: {checked:?}");
    acme.run("quota acme --default").await;
    let sync = acme.run("sync acme").await;
    assert_eq!(sync.code, 0, "{sync:?}");
    assert!(sync.out.contains("went on and is complete"), "{sync:?}");
    assert_eq!(rows(&acme.data().join("acme.db"), "SELECT count(*) FROM Contact"), 400);
}

#[tokio::test]
async fn a_job_budget_of_nothing_leaves_bulk_alone_and_attempts_that_fail_are_counted() {
    let acme = with_small_pages().await;
    acme.run("quota acme --jobs 0").await;
    let import = acme.run("import acme Contact --read bulk").await;
    assert_eq!(import.code, 8, "{import:?}");
    assert!(format!("{import:?}").contains("0 of the 0 Bulk jobs"), "{import:?}");
    assert_eq!(acme.asked("POST /services/data/vXX.X/jobs/query"), 0);

    acme.run("quota acme --default").await;
    let (begun, before) = (journalled(&acme), used(&acme).await);
    acme.fault(
        "GET /services/data/vXX.X/query*",
        Effect::Error { status: 503, code: "SERVER_UNAVAILABLE".into(), message: String::new() },
    );
    assert_eq!(acme.run("import acme Account").await.code, 0);
    assert_eq!(used(&acme).await - before, counted_since(&acme, begun) as u64);
}

/// The calls that the budget counts.
async fn used(acme: &Acme) -> u64 {
    acme.run("quota acme --json").await.json()["quota"]["calls"].as_u64().unwrap()
}
