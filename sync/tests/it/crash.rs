//! A run may die before or after any of its writes; the next one goes on, and the table is as if nothing had happened.

use std::sync::{Arc, Mutex};

use sync::{
    checkpoint::{Epoch, Position},
    destination::DestinationError,
    read::ReadChoice,
    run::{Outcome, RunError},
};

use crate::{
    memory::{Crash, Durable},
    org::{Org, Setting, nowhere, whole},
};

const ROWS: u64 = 1200;
const PAGE: u64 = 150;

async fn org() -> Org {
    Org::start(&format!(
        "[rows]\nContact = {ROWS}\n[bulk]\npage_rows = {PAGE}\n[pages]\nrows = {PAGE}\nrows_with_long_text = {PAGE}"
    ))
    .await
}

/// Runs until it completes, with one crash, and returns what is durable then.
async fn crash_and_go_on(org: &Org, read: ReadChoice, crash: Crash) -> Arc<Mutex<Durable>> {
    let durable = nowhere();
    let crashing = Setting { read, crash: Some(crash), ..Setting::default() };
    let died = org.run(&whole("Contact"), &durable, crashing).await;
    assert!(matches!(died, Err(RunError::Destination(_))), "{crash:?} does not happen in this run: {died:?}");
    org.run(&whole("Contact"), &durable, Setting { read, ..Setting::default() }).await.unwrap();
    durable
}

async fn survives_every_crash(read: ReadChoice) {
    let org = org().await;
    let undisturbed = nowhere();
    org.run(&whole("Contact"), &undisturbed, Setting { read, ..Setting::default() }).await.unwrap();
    let undisturbed = undisturbed.lock().unwrap().clone();
    assert_eq!(undisturbed.rows.len(), org.count("Contact").await);
    assert!(undisturbed.writes >= ROWS / PAGE, "each page is written by itself");
    for write in 0..undisturbed.writes {
        for crash in [Crash::Before(write), Crash::After(write)] {
            let durable = crash_and_go_on(&org, read, crash).await;
            let durable = durable.lock().unwrap();
            assert_eq!(durable.rows, undisturbed.rows, "{crash:?}");
            assert!(durable.taken <= ROWS + PAGE, "{crash:?}: {} records taken", durable.taken);
            assert_eq!(durable.checkpoint.as_ref().unwrap().at, Position::Complete, "{crash:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_by_bulk_survives_a_crash_at_every_write_and_reads_at_most_one_page_again() {
    survives_every_crash(ReadChoice::Bulk).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_by_query_survives_a_crash_at_every_write_and_reads_at_most_one_page_again() {
    survives_every_crash(ReadChoice::Query).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_goes_on_also_finds_what_has_changed_since_the_crash() {
    let org = org().await;
    let durable = nowhere();
    let crashing = Setting { crash: Some(Crash::After(3)), ..Setting::default() };
    org.run(&whole("Contact"), &durable, crashing).await.unwrap_err();
    org.emulator.control().advance(std::time::Duration::from_secs(86_400));
    let new = org.insert_contact("Since the crash", std::time::Duration::ZERO);
    org.sync(&whole("Contact"), &durable).await;
    assert!(durable.lock().unwrap().rows.contains_key(&new));
}

// Pitfall 18.
#[tokio::test(flavor = "multi_thread")]
async fn a_saved_job_that_no_longer_exists_is_made_again() {
    let org = org().await;
    let durable = nowhere();
    let crashing = Setting { read: ReadChoice::Bulk, crash: Some(Crash::After(3)), ..Setting::default() };
    org.run(&whole("Contact"), &durable, crashing).await.unwrap_err();
    let Position::Bulk { job, .. } = durable.lock().unwrap().checkpoint.clone().unwrap().at else {
        panic!("the checkpoint names the job")
    };
    org.client.delete_query_job(&job).await.unwrap();
    org.sync(&whole("Contact"), &durable).await;
    org.assert_has_all("Contact", &durable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_stream_was_taken_over_writes_nothing() {
    let org = org().await;
    let durable = nowhere();
    durable.lock().unwrap().epoch = Some(Epoch(7));
    let setting = Setting { epoch: Some(Epoch(6)), ..Setting::default() };
    let fenced = org.run(&whole("Contact"), &durable, setting).await;
    assert!(matches!(fenced, Err(RunError::Destination(DestinationError::Fenced { ours: 6, current: 7, .. }))));
    assert!(durable.lock().unwrap().rows.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_asked_to_stop_ends_where_the_next_one_goes_on() {
    let org = org().await;
    let durable = nowhere();
    let stopped = org.run(&whole("Contact"), &durable, Setting { stopped: true, ..Setting::default() }).await.unwrap();
    assert_eq!(stopped.outcome, Outcome::Stopped);
    assert_eq!(org.sync(&whole("Contact"), &durable).await.outcome, Outcome::Complete);
    org.assert_has_all("Contact", &durable).await;
}
