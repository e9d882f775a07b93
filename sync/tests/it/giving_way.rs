//! A run that others wait for ends further than where it began, and in some turns it comes to its end.

use std::sync::{Arc, Mutex};

use emulator::{Effect, Fault, FaultRate};
use sync::{
    checkpoint::Position,
    mapping::{ColumnMapping, Mapping},
    read::{ReadChoice, ReadMode},
    run::{Outcome, Report},
};

use crate::{
    memory::Durable,
    org::{Org, Setting, nowhere, whole},
};

const ROWS: u64 = 1200;
const PAGE: u64 = 150;
const JOBS: &str = "POST /services/data/*/jobs/query";

async fn org() -> Org {
    let sizes = format!("[bulk]\npage_rows = {PAGE}\n[pages]\nrows = {PAGE}\nrows_with_long_text = {PAGE}");
    Org::start(&format!("[rows]\nContact = {ROWS}\nActivityFieldHistory = 4500\n{sizes}")).await
}

/// Runs a stream that others wait for all the time until it is complete; each turn's report and place.
async fn turns(
    org: &Org,
    mapping: &Mapping,
    durable: &Arc<Mutex<Durable>>,
    read: ReadChoice,
) -> Vec<(Report, Position)> {
    let mut turns = Vec::new();
    loop {
        let report =
            org.run(mapping, durable, Setting { read, is_waited_for: true, ..Setting::default() }).await.unwrap();
        let is_over = report.outcome == Outcome::Complete;
        let checkpoint = durable.lock().unwrap().checkpoint.clone().unwrap();
        turns.push((report, checkpoint.backfill.map_or(checkpoint.at, |fill| fill.at)));
        if is_over {
            return turns;
        }
        assert!(turns.len() < 40, "{turns:#?}");
    }
}

fn made_jobs(org: &Org) -> usize {
    let journal = org.emulator.control().journal();
    journal.iter().filter(|entry| entry.method == "POST" && entry.route.ends_with("jobs/query")).count()
}

fn all_moved(turns: &[(Report, Position)]) -> bool {
    turns.windows(2).all(|two| two[0].1 != two[1].1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_others_wait_for_goes_on_a_page_in_each_turn() {
    let org = org().await;
    let durable = nowhere();
    let turns = turns(&org, &whole("Contact"), &durable, ReadChoice::Query).await;
    assert!(turns.len() >= usize::try_from(ROWS / PAGE).unwrap() && all_moved(&turns), "{turns:#?}");
    org.assert_has_all("Contact", &durable).await;
    assert!(durable.lock().unwrap().taken <= ROWS + PAGE, "{} records taken", durable.lock().unwrap().taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_others_wait_for_is_made_once_and_read_a_page_in_each_turn() {
    let org = org().await;
    let durable = nowhere();
    let turns = turns(&org, &whole("Contact"), &durable, ReadChoice::Auto).await;
    assert!(matches!(turns[0].1, Position::Bulk { locator: None, .. }), "nobody waits for a job in somebody's place");
    assert!(turns.len() >= usize::try_from(ROWS / PAGE).unwrap(), "{turns:#?}");
    assert_eq!(made_jobs(&org), 1);
    org.assert_has_all("Contact", &durable).await;
    assert!(durable.lock().unwrap().taken <= ROWS + PAGE, "{} records taken", durable.lock().unwrap().taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_would_begin_anew_is_left_alone() {
    let org = org().await;
    let limited = Mapping { limit: Some(ROWS / 2), ..whole("Contact") };
    for mapping in [limited, whole("ActivityFieldHistory")] {
        let durable = nowhere();
        let turns = turns(&org, &mapping, &durable, ReadChoice::Query).await;
        assert_eq!(turns.len(), 1, "{}: {turns:#?}", mapping.object);
        let durable = durable.lock().unwrap();
        let (rows, writes) = (durable.rows.len(), durable.writes);
        assert!(rows >= 400 && writes > 2, "{}: {rows} rows in {writes} writes", mapping.object);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_stands_still_is_given_up_although_others_wait() {
    let org = org().await;
    let durable = nowhere();
    org.emulator.control().push_fault(Fault::next(JOBS, Effect::StuckJob));
    let turns = turns(&org, &whole("Contact"), &durable, ReadChoice::Auto).await;
    assert_eq!(turns.last().unwrap().0.mode, Some(ReadMode::Bulk), "the second job is read");
    assert_eq!(made_jobs(&org), 2);
    let aborted = org.emulator.control().journal().iter().filter(|entry| entry.method == "PATCH").count();
    assert_eq!(aborted, 1);
    org.assert_has_all("Contact", &durable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_fail_each_time_give_way_to_the_query_although_others_wait() {
    let org = org().await;
    let durable = nowhere();
    let effect = Effect::FailedJob { message: "Retried more than 15 times".into() };
    org.emulator.control().set_fault_rate(FaultRate { on: JOBS.into(), probability: 1.0, effect });
    let turns = turns(&org, &whole("Contact"), &durable, ReadChoice::Auto).await;
    assert!(turns.iter().any(|(_, at)| matches!(at, Position::Query { .. })), "{turns:#?}");
    assert!(made_jobs(&org) <= 3, "{} jobs", made_jobs(&org));
    org.assert_has_all("Contact", &durable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_filled_over_several_turns() {
    let org = org().await;
    let fields = |names: &[&str]| Mapping {
        columns: names.iter().map(|name| ColumnMapping::field(*name)).collect(),
        ..whole("Contact")
    };
    let (durable, at_once) = (nowhere(), nowhere());
    org.sync(&fields(&["LastName"]), &durable).await;
    let wider = fields(&["LastName", "Email", "Description"]);
    let turns = turns(&org, &wider, &durable, ReadChoice::Query).await;
    assert!(turns.len() >= usize::try_from(ROWS / PAGE).unwrap() && all_moved(&turns), "{turns:#?}");
    org.sync(&wider, &at_once).await;
    assert_eq!(durable.lock().unwrap().rows, at_once.lock().unwrap().rows);
}
