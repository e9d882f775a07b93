//! Records that are deleted for good, vanish, or come back.

use std::time::Duration;

use emulator::{Effect, Fault};
use sync::{
    checkpoint::Position,
    mapping::Mapping,
    read::ReadChoice,
    run::{Deletions, Outcome},
    table::DeleteMode,
};

use crate::{
    memory::{Crash, Durable},
    org::{Org, Setting, nowhere, only, whole},
};

const HOUR: Duration = Duration::from_secs(3600);

async fn org() -> Org {
    Org::start("[rows]\nContact = 300").await
}

fn names() -> Mapping {
    only("Contact", "LastName")
}

fn is_deleted(durable: &Durable, id: &str) -> bool {
    durable.rows[id]["_deleted"].as_deref() == Some("true")
}

impl Org {
    /// Lets time pass, and runs the stream.
    async fn later(&self, durable: &std::sync::Arc<std::sync::Mutex<Durable>>, by: Duration) -> sync::run::Report {
        self.emulator.control().advance(by);
        self.sync(&names(), durable).await
    }

    fn erase(&self, id: &str) {
        self.delete_contact(id);
        self.emulator.control().purge(id).unwrap();
    }
}

// Pitfall 11.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_deleted_for_good_is_flagged_or_removed_within_the_hour() {
    let org = org().await;
    let (flagged, removed) = (nowhere(), nowhere());
    let removing = Mapping { deletes: DeleteMode::Remove, ..names() };
    let id = org.insert_contact("Gone", HOUR);
    org.sync(&names(), &flagged).await;
    org.sync(&removing, &removed).await;
    org.later(&flagged, HOUR).await;
    org.sync(&removing, &removed).await;
    org.emulator.control().advance(Duration::from_secs(120));
    org.erase(&id);
    let soon = org.later(&flagged, Duration::from_secs(120)).await;
    assert_eq!(soon.deletions, Deletions::NotAsked, "it is not time yet");
    assert!(!is_deleted(&flagged.lock().unwrap(), &id));
    let due = org.later(&flagged, HOUR).await;
    org.sync(&removing, &removed).await;
    assert!(matches!(due.deletions, Deletions::Known { .. }), "{:?}", due.deletions);
    assert!(is_deleted(&flagged.lock().unwrap(), &id));
    assert!(!removed.lock().unwrap().rows.contains_key(&id));
}

// Pitfall 11.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_is_heard_of_however_often_runs_die_before_they_have_asked() {
    // Writes of the rest of a window that is gone on with: two pages and its end; the job's page and its end.
    for (read, rest) in [(ReadChoice::Query, 3), (ReadChoice::Bulk, 2)] {
        let org = Org::start("[rows]\nContact = 300\n[pages]\nrows = 100").await;
        let durable = nowhere();
        let id = org.insert_contact("Gone", HOUR);
        org.sync(&names(), &durable).await;
        org.erase(&id);
        for _ in 0..4 {
            org.emulator.control().advance(4 * HOUR);
            let ids: Vec<String> = durable.lock().unwrap().rows.keys().filter(|key| **key != id).cloned().collect();
            ids.iter().for_each(|id| org.rename_contact(id, "Renamed"));
            // Each time it dies at the beginning of a window, which it has asked with, and has heard nothing of yet.
            let written = durable.lock().unwrap().writes;
            let resumed = durable.lock().unwrap().checkpoint.as_ref().is_some_and(|last| last.at != Position::Complete);
            let crash = Some(Crash::After(written + if resumed { rest } else { 0 }));
            org.run(&names(), &durable, Setting { crash, read, ..Setting::default() }).await.unwrap_err();
        }
        org.later(&durable, 4 * HOUR).await;
        assert!(is_deleted(&durable.lock().unwrap(), &id), "{read:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_cycle_costs_one_request_and_so_does_one_that_asks_for_deletions() {
    let org = Org::start("[rows]\nContact = 0").await;
    let durable = nowhere();
    let compiled = org.compile(&names()).await.unwrap();
    let control = org.emulator.control();
    org.sync(&names(), &durable).await;
    for (by, asked) in [(HOUR, true), (Duration::from_secs(300), false), (HOUR, true)] {
        control.advance(by);
        org.client.server_time().await.unwrap();
        let before = control.journal().len();
        let report = org.run_compiled(&compiled, &durable, &Setting::default()).await.unwrap();
        assert_eq!(matches!(report.deletions, Deletions::Known { .. }), asked, "{:?}", report.deletions);
        let requests: Vec<String> =
            control.journal()[before..].iter().map(|entry| format!("{} {}", entry.method, entry.route)).collect();
        assert_eq!(requests.len(), 1, "{requests:?}");
        assert_eq!(report.counts.api_calls, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_was_deleted_and_came_back_is_not_deleted() {
    let org = org().await;
    let durable = nowhere();
    let id = org.insert_contact("Back", HOUR);
    org.sync(&names(), &durable).await;
    org.later(&durable, HOUR).await;
    org.emulator.control().advance(Duration::from_secs(300));
    org.delete_contact(&id);
    org.later(&durable, Duration::from_secs(300)).await;
    assert!(is_deleted(&durable.lock().unwrap(), &id));
    org.emulator.control().undelete(&id).unwrap();
    org.later(&durable, HOUR).await;
    assert!(!is_deleted(&durable.lock().unwrap(), &id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_deleted_for_good_in_a_gap_of_weeks_is_found_by_a_whole_reading() {
    let org = org().await;
    let durable = nowhere();
    let id = org.insert_contact("Gone", HOUR);
    org.sync(&names(), &durable).await;
    org.later(&durable, HOUR).await;
    org.erase(&id);
    let report = org.later(&durable, 24 * 20 * HOUR).await;
    assert_eq!(report.window.from, None, "everything is read");
    assert_eq!(report.counts.swept, 1);
    assert!(is_deleted(&durable.lock().unwrap(), &id));
    let next = org.later(&durable, HOUR).await;
    assert!(next.window.from.is_some() && next.counts.swept == 0, "and the next run goes on as always");
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_everything_again_deletes_the_rows_that_are_not_named_any_more() {
    let org = org().await;
    let durable = nowhere();
    let id = org.insert_contact("Gone", HOUR);
    org.sync(&names(), &durable).await;
    org.erase(&id);
    let full = || Setting { full: true, ..Setting::default() };
    let report = org.run(&names(), &durable, full()).await.unwrap();
    assert_eq!((report.outcome, report.counts.swept), (Outcome::Complete, 1));
    let again = org.run(&names(), &durable, full()).await.unwrap();
    assert_eq!(again.counts.swept, 0);
    let living =
        durable.lock().unwrap().rows.values().filter(|row| row["_deleted"].as_deref() == Some("false")).count();
    assert_eq!(living, org.count("Contact").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_reading_that_died_and_goes_on_sweeps_by_what_both_runs_named() {
    let org = Org::start("[rows]\nContact = 900\n[pages]\nrows = 200\nrows_with_long_text = 200").await;
    let durable = nowhere();
    let id = org.insert_contact("Gone", HOUR);
    org.sync(&whole("Contact"), &durable).await;
    org.erase(&id);
    let writes = durable.lock().unwrap().writes;
    let crashing = Setting { full: true, crash: Some(Crash::After(writes + 2)), ..Setting::default() };
    org.run(&whole("Contact"), &durable, crashing).await.unwrap_err();
    let report = org.sync(&whole("Contact"), &durable).await;
    assert_eq!((report.resumed, report.counts.swept), (true, 1));
    assert!(is_deleted(&durable.lock().unwrap(), &id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_sweeps_nothing() {
    let org = org().await;
    let durable = nowhere();
    let sample = Mapping { limit: Some(50), ..names() };
    org.sync(&sample, &durable).await;
    let first = durable.lock().unwrap().rows.keys().next().unwrap().clone();
    org.erase(&first);
    let report = org.sync(&sample, &durable).await;
    assert_eq!(report.counts.swept, 0);
    assert!(!is_deleted(&durable.lock().unwrap(), &first));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_org_that_does_not_tell_deletions_costs_the_deletions_and_not_the_run() {
    let org = org().await;
    let durable = nowhere();
    org.sync(&names(), &durable).await;
    let new = org.insert_contact("New", Duration::ZERO);
    org.emulator.control().advance(Duration::from_secs(60));
    let body = r#"{"compositeResponse":[{"body":[{"errorCode":"INSUFFICIENT_ACCESS","message":"no"}],"httpHeaders":{},"httpStatusCode":403,"referenceId":"part0"},{"body":{"totalSize":0,"done":true,"records":[]},"httpHeaders":{},"httpStatusCode":200,"referenceId":"part1"}]}"#;
    let effect = Effect::Answer { status: 200, content_type: "application/json".into(), body: body.into() };
    org.emulator.control().push_fault(Fault::next("POST /services/data/*/composite", effect));
    let report = org.sync(&names(), &durable).await;
    let Deletions::Unknown { reason } = report.deletions else { panic!("{:?}", report.deletions) };
    assert!(reason.contains("INSUFFICIENT_ACCESS"), "{reason}");
    org.sync(&names(), &durable).await;
    assert!(durable.lock().unwrap().rows.contains_key(&new));
}
