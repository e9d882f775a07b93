//! Streams that run by themselves, for days, under a budget that is too small for what they were told to do.

use std::{sync::Arc, time::Duration};

use emulator::{JournalEntry, Scenario};
use orgtide::{
    app::{App, schedules::Decision},
    schedule::Workers,
    store::journal::Actor,
};

use crate::{
    database::HandClock,
    org::{Acme, rows},
};

const STEP: Duration = Duration::from_secs(15 * 60);
const BUDGET: usize = 200;
const STEPS_A_DAY: usize = 24 * 4;

/// An org whose answers hold two records: 580 of them are 290 calls.
async fn org() -> Acme {
    let mut scenario = Scenario::builtin("acme").unwrap();
    (scenario.pages.rows_with_long_text, scenario.pages.wide_from_columns) = (2, 1);
    let acme = Acme::of(scenario).await;
    acme.connect().await;
    acme
}

/// The counted requests of the last 24 hours.
fn of_a_day(journal: &[JournalEntry], now: &JournalEntry) -> usize {
    let since = now.at - Duration::from_secs(24 * 3600);
    journal.iter().filter(|entry| entry.at > since && entry.at <= now.at).count()
}

fn counted(acme: &Acme, begun: usize) -> Vec<JournalEntry> {
    let journal = acme.emulator.control().journal().split_off(begun);
    let counts = |entry: &JournalEntry| entry.route != "/services/data" && !entry.route.contains("/oauth2/");
    journal.into_iter().filter(counts).collect()
}

async fn work_off(workers: &mut Workers) {
    workers.look().await.unwrap();
    while workers.ended().await.is_some() {
        workers.look().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_under_two_hundred_calls_a_day_stays_under_it_says_what_is_left_and_ends_complete() {
    let acme = org().await;
    let clock = Arc::new(HandClock::new());
    let app: Arc<App> = Arc::new(acme.app_with_clock(clock.clone()).await);
    let begun = acme.emulator.control().journal().len();
    app.decide_quota("acme", |own| own.daily_calls = Some(BUDGET as u64), &Actor::CommandLine).await.unwrap();
    let import = crate::describes::importing(&app, &["Account", "Contact", "Opportunity"]).await;
    assert!(import.iter().any(|outcome| outcome.result.is_err()), "more than a day's budget: {import:?}");
    let quarter = Decision::Schedule("every 15 minutes".parse().unwrap());
    app.decide("acme", &[], &quarter, &Actor::CommandLine).await.unwrap();

    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let mut workers = Workers::new(Arc::clone(&app), stopped);
    let (mut waited, mut slowed) = (Vec::new(), 0);
    for _ in 0..6 * STEPS_A_DAY {
        clock.advance_by(STEP);
        acme.emulator.control().advance(STEP);
        work_off(&mut workers).await;
        let quota = app.quota("acme").await.unwrap();
        waited.extend(quota.waiting.map(|waiting| waiting.left.join(", ")));
        slowed += usize::from(!quota.slowed.is_empty());
    }
    let journal = counted(&acme, begun);
    let most = journal.iter().map(|entry| of_a_day(&journal, entry)).max().unwrap();
    assert!(most <= BUDGET, "{most} calls within 24 hours");
    assert!(most > BUDGET * 9 / 10, "the budget is used: {most}");
    assert!(waited.iter().any(|left| left.contains("from record ")), "it says what it leaves: {waited:?}");
    assert!(slowed > 0, "three streams every quarter of an hour are more than the budget");

    let place = acme.data().join("acme.db");
    for (object, count) in [("Account", 120), ("Contact", 400), ("Opportunity", 60)] {
        assert_eq!(rows(&place, &format!("SELECT count(*) FROM {object}")), count, "{object}");
    }
    for stream in app.schedules("acme", &[]).await.unwrap() {
        assert_eq!((stream.schedule.failures, &stream.schedule.trouble), (0, &None), "{stream:?}");
    }
}
