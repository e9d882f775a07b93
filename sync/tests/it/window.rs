//! What an incremental run finds, and what it must never miss.

use std::time::Duration;

use serde_json::json;
use sync::{
    checkpoint::Position,
    mapping::Mapping,
    read::{ReadChoice, ReadMode},
    table::DeleteMode,
};

use crate::{
    memory::Durable,
    org::{Org, Setting, nowhere, only, whole},
};

const NOW: Duration = Duration::ZERO;

async fn org() -> Org {
    Org::start("[rows]\nContact = 300").await
}

fn names() -> Mapping {
    only("Contact", "LastName")
}

fn name<'a>(durable: &'a Durable, id: &str) -> Option<&'a str> {
    durable.rows.get(id)?["LastName"].as_deref()
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

// Pitfall 3.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_run_has_no_start_date_that_hides_old_records() {
    let org = org().await;
    let durable = nowhere();
    let old = org.insert_contact("Ancient", Duration::from_secs(20 * 365 * 86_400));
    org.sync(&names(), &durable).await;
    assert_eq!(name(&durable.lock().unwrap(), &old), Some("Ancient"));
    org.assert_has_all("Contact", &durable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inserts_and_updates_are_picked_up_and_little_else_is_read() {
    let org = org().await;
    let durable = nowhere();
    let kept = org.insert_contact("Before", minutes(60));
    org.sync(&names(), &durable).await;
    org.emulator.control().advance(minutes(30));
    org.rename_contact(&kept, "After");
    let new = org.insert_contact("New", NOW);
    let report = org.sync(&names(), &durable).await;
    let durable = durable.lock().unwrap();
    assert_eq!((name(&durable, &kept), name(&durable, &new)), (Some("After"), Some("New")));
    assert_eq!(report.mode, Some(ReadMode::Query));
    assert!(report.counts.rows < 50, "{} rows", report.counts.rows);
}

// Pitfall 1.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_committed_late_with_an_older_stamp_is_found() {
    let org = org().await;
    let durable = nowhere();
    org.sync(&names(), &durable).await;
    let late = org.insert_contact("Late", minutes(9));
    org.sync(&names(), &durable).await;
    assert_eq!(name(&durable.lock().unwrap(), &late), Some("Late"));
}

// Pitfall 2.
#[tokio::test(flavor = "multi_thread")]
async fn records_that_share_the_stamp_at_the_windows_edge_are_all_read() {
    let org = org().await;
    let durable = nowhere();
    let first: Vec<String> = (0..5).map(|_| org.insert_contact("Tied", NOW)).collect();
    org.sync(&names(), &durable).await;
    // The clock stands still: these have the very stamp at which the first window ended.
    let second: Vec<String> = (0..5).map(|_| org.insert_contact("Tied", NOW)).collect();
    org.sync(&names(), &durable).await;
    let durable = durable.lock().unwrap();
    for id in first.iter().chain(&second) {
        assert_eq!(name(&durable, id), Some("Tied"));
    }
}

// Pitfall 2.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_change_within_the_same_second_is_not_lost() {
    let org = org().await;
    let durable = nowhere();
    let id = org.insert_contact("One", NOW);
    org.sync(&names(), &durable).await;
    org.rename_contact(&id, "Two");
    org.sync(&names(), &durable).await;
    assert_eq!(name(&durable.lock().unwrap(), &id), Some("Two"));
}

// Pitfall 10.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_longer_than_the_overlap_is_read_when_deletions_are_asked_for() {
    let org = org().await;
    let control = org.emulator.control();
    let durable = nowhere();
    org.sync(&names(), &durable).await;
    control.advance(minutes(61));
    org.sync(&names(), &durable).await;
    control.advance(minutes(10));
    let long = control.begin();
    let id = control.in_transaction(long).insert("Contact", json!({"LastName": "Long"})).unwrap().to_string();
    for _ in 0..4 {
        control.advance(minutes(45));
        org.sync(&names(), &durable).await;
        assert_eq!(name(&durable.lock().unwrap(), &id), None, "it is not committed");
    }
    control.commit(long).unwrap();
    control.advance(minutes(61));
    org.sync(&names(), &durable).await;
    assert_eq!(name(&durable.lock().unwrap(), &id), Some("Long"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_answers_for_a_time_before_its_first_request_was_worked_on() {
    let org = org().await;
    let before = org.client.server_time().await.unwrap();
    for read in [ReadChoice::Query, ReadChoice::Bulk] {
        let report = org.run(&names(), &nowhere(), Setting { read, ..Setting::default() }).await.unwrap();
        assert!(report.window.until <= before, "{read:?}");
        assert!(before.0 - report.window.until.0 <= 60_000, "{read:?}: {} before", before.0 - report.window.until.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_records_reach_the_table_as_flags_or_go() {
    let org = org().await;
    let (flagged, removed) = (nowhere(), nowhere());
    let removing = Mapping { deletes: DeleteMode::Remove, ..names() };
    let id = org.insert_contact("Gone", minutes(60));
    org.sync(&names(), &flagged).await;
    org.sync(&removing, &removed).await;
    org.emulator.control().advance(minutes(1));
    org.delete_contact(&id);
    let report = org.sync(&names(), &flagged).await;
    org.sync(&removing, &removed).await;
    assert!(report.counts.deletes >= 1);
    assert_eq!(flagged.lock().unwrap().rows[&id]["_deleted"].as_deref(), Some("true"));
    assert_eq!(name(&flagged.lock().unwrap(), &id), Some("Gone"), "the last values stay");
    assert!(!removed.lock().unwrap().rows.contains_key(&id));
}

// Pitfall 19.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_records_moves_the_checkpoint_on() {
    let org = Org::start("[rows]\nContact = 0").await;
    let durable = nowhere();
    let first = org.sync(&names(), &durable).await;
    assert_eq!((first.counts.rows, first.window.from), (0, None));
    assert_eq!(durable.lock().unwrap().checkpoint.as_ref().unwrap().at, Position::Complete);
    let second = org.sync(&names(), &durable).await;
    assert!(second.window.from.is_some(), "the second run reads only what has changed");
}

// Pitfalls 4, 62.
#[tokio::test(flavor = "multi_thread")]
async fn a_field_created_between_runs_is_read_for_all_records() {
    let org = org().await;
    let durable = nowhere();
    org.sync(&whole("Contact"), &durable).await;
    org.add_contact_field("Fresh__c");
    let report = org.sync(&whole("Contact"), &durable).await;
    assert!(report.window.from.is_some(), "what was read before is not read again");
    assert_eq!(report.counts.patched as usize, durable.lock().unwrap().rows.len());
    assert!(durable.lock().unwrap().rows.values().all(|row| row.contains_key("Fresh__c")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_and_a_limit_bound_what_is_read() {
    let org = org().await;
    let (filtered, limited) = (nowhere(), nowhere());
    let id = org.insert_contact("Wanted", NOW);
    org.sync(&Mapping { filter: Some("LastName = 'Wanted' OR LastName = 'None'".into()), ..names() }, &filtered).await;
    org.sync(&Mapping { limit: Some(7), ..names() }, &limited).await;
    assert_eq!(filtered.lock().unwrap().rows.keys().collect::<Vec<_>>(), [&id]);
    assert_eq!(limited.lock().unwrap().rows.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parents_field_becomes_a_column() {
    let org = Org::start("[rows]\nAccount = 40\nContact = 200").await;
    let durable = nowhere();
    org.sync(&only("Contact", "Account.Name"), &durable).await;
    let durable = durable.lock().unwrap();
    assert!(durable.rows.values().any(|row| row["Account_Name"].is_some()));
}
