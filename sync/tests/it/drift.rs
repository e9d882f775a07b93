//! The org's fields and the mapping change between runs and during them; nothing is lost, and little is read again.

use std::time::Duration;

use emulator::{Effect, Fault};
use sync::{
    checkpoint::Position,
    mapping::{ColumnMapping, Mapping},
    read::{ReadChoice, ReadMode},
    run::RunError,
};

use crate::{
    memory::{Crash, Durable},
    org::{Org, Setting, nowhere, only, whole},
};

const ROWS: u64 = 900;

async fn org() -> Org {
    let sizes = "[bulk]\npage_rows = 200\n[pages]\nrows = 200\nrows_with_long_text = 200";
    Org::start(&format!("[rows]\nContact = {ROWS}\n{sizes}")).await
}

fn fields(names: &[&str]) -> Mapping {
    let columns = names.iter().map(|name| ColumnMapping::field(*name)).collect();
    Mapping { columns, ..whole("Contact") }
}

fn column<'a>(durable: &'a Durable, name: &str) -> Vec<Option<&'a str>> {
    durable.rows.values().map(|row| row.get(name).and_then(|value| value.as_deref())).collect()
}

/// The same stream as if it had been read with this mapping from the beginning.
async fn as_if_read_at_once(org: &Org, mapping: &Mapping) -> Durable {
    let durable = nowhere();
    org.sync(mapping, &durable).await;
    durable.lock().unwrap().clone()
}

// Pitfalls 4, 63.
#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_new_is_filled_alone_in_the_rows_that_are_there() {
    for read in [ReadChoice::Query, ReadChoice::Bulk] {
        let org = org().await;
        let durable = nowhere();
        org.sync(&fields(&["LastName"]), &durable).await;
        let deleted = org.insert_contact("Gone", Duration::ZERO);
        org.sync(&fields(&["LastName"]), &durable).await;
        org.delete_contact(&deleted);
        let wider = fields(&["LastName", "Email", "Description"]);
        let report = org.run(&wider, &durable, Setting { read, ..Setting::default() }).await.unwrap();
        assert!(report.window.from.is_some() && report.counts.rows < 20, "{:?}", report.counts);
        assert!(report.counts.patched >= ROWS, "{:?}", report.counts);
        let expected = as_if_read_at_once(&org, &wider).await;
        let durable = durable.lock().unwrap();
        assert!(column(&expected, "Email").iter().any(Option::is_some), "there is something to fill");
        for (id, row) in &expected.rows {
            assert_eq!(row, &durable.rows[id], "{id}");
        }
        assert_eq!(durable.checkpoint.as_ref().unwrap().backfill, None);
        let again = durable.writes;
        drop(durable);
        assert!(again > 5, "filled page by page");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_gone_costs_no_reading_and_keeps_its_last_values() {
    let org = org().await;
    let durable = nowhere();
    org.sync(&fields(&["LastName", "Email"]), &durable).await;
    org.emulator.control().advance(Duration::from_secs(7200));
    let report = org.sync(&fields(&["LastName"]), &durable).await;
    assert_eq!((report.counts.read, report.counts.patched), (0, 0));
    assert!(column(&durable.lock().unwrap(), "Email").iter().any(Option::is_some));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filling_that_dies_goes_on_and_one_that_gets_a_further_column_fills_both() {
    for read in [ReadChoice::Query, ReadChoice::Bulk] {
        let org = org().await;
        let wider = fields(&["LastName", "Description", "Phone"]);
        let expected = as_if_read_at_once(&org, &wider).await;
        let first = nowhere();
        org.sync(&fields(&["LastName"]), &first).await;
        let first = first.lock().unwrap().clone();
        for dies_after in 2..5 {
            let durable = nowhere();
            *durable.lock().unwrap() = first.clone();
            let crash = Some(Crash::After(first.writes + dies_after));
            let crashing = Setting { read, crash, ..Setting::default() };
            org.run(&fields(&["LastName", "Description"]), &durable, crashing).await.unwrap_err();
            let is_filling = durable.lock().unwrap().checkpoint.as_ref().unwrap().backfill.is_some();
            assert!(is_filling, "{read:?}, {dies_after}");
            org.run(&wider, &durable, Setting { read, ..Setting::default() }).await.unwrap();
            assert_eq!(durable.lock().unwrap().rows, expected.rows, "{read:?}, died after {dies_after}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filling_goes_on_behind_the_last_row_that_it_filled() {
    let org = org().await;
    let durable = nowhere();
    org.sync(&fields(&["LastName"]), &durable).await;
    let writes = durable.lock().unwrap().writes;
    let read = ReadChoice::Query;
    let wide = fields(&["LastName", "Description"]);
    let crash = Some(Crash::After(writes + 3));
    org.run(&wide, &durable, Setting { read, crash, ..Setting::default() }).await.unwrap_err();
    let report = org.run(&wide, &durable, Setting { read, ..Setting::default() }).await.unwrap();
    assert!(report.counts.patched > 0 && report.counts.patched < ROWS, "{:?}", report.counts);
    let expected = as_if_read_at_once(&org, &wide).await;
    assert_eq!(durable.lock().unwrap().rows, expected.rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_that_changes_in_the_middle_of_the_first_load_loses_nothing() {
    for read in [ReadChoice::Query, ReadChoice::Bulk] {
        let org = org().await;
        let wide = fields(&["LastName", "Email", "Description"]);
        let expected = as_if_read_at_once(&org, &wide).await;
        for dies_after in 1..5 {
            let durable = nowhere();
            let crashing = Setting { read, crash: Some(Crash::After(dies_after)), ..Setting::default() };
            org.run(&fields(&["LastName", "Description"]), &durable, crashing).await.unwrap_err();
            org.run(&wide, &durable, Setting { read, ..Setting::default() }).await.unwrap();
            assert_eq!(durable.lock().unwrap().rows, expected.rows, "{read:?}, died after {dies_after}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_filter_reads_everything_anew_and_deletes_what_does_not_meet_it() {
    let org = org().await;
    let durable = nowhere();
    let id = org.insert_contact("Kept", Duration::ZERO);
    org.sync(&fields(&["LastName"]), &durable).await;
    let filtered = Mapping { filter: Some("LastName = 'Kept'".into()), ..fields(&["LastName"]) };
    let report = org.sync(&filtered, &durable).await;
    let durable = durable.lock().unwrap();
    let living: Vec<&String> =
        durable.rows.iter().filter(|(_, row)| row["_deleted"].as_deref() == Some("false")).map(|(id, _)| id).collect();
    assert_eq!(living, [&id]);
    assert_eq!((report.window.from, report.counts.swept), (None, ROWS));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_goes_between_the_describe_and_the_query_is_left_out_and_the_run_goes_on() {
    for read in [ReadChoice::Query, ReadChoice::Bulk] {
        let org = org().await;
        let durable = nowhere();
        org.add_contact_field("Brief__c");
        let stale = org.compile(&whole("Contact")).await.unwrap();
        let message = "No such column 'Brief__c' on entity 'Contact'.".to_owned();
        let refused = Effect::Error { status: 400, code: "INVALID_FIELD".into(), message };
        let on = if read == ReadChoice::Bulk { "POST */jobs/query" } else { "GET */query*" };
        org.emulator.control().push_fault(Fault::next(on, refused));
        let setting = || Setting { read, ..Setting::default() };
        let error = org.run_compiled(&stale, &durable, &setting()).await.unwrap_err();
        assert!(matches!(error, RunError::Outdated { .. }), "{error:?}");
        assert!(error.to_string().contains("is not as it was described"), "{error}");
        org.run(&whole("Contact"), &durable, setting()).await.unwrap();
        org.assert_has_all("Contact", &durable).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_goes_in_the_middle_of_a_reading_costs_none_of_what_is_written() {
    let org = org().await;
    let durable = nowhere();
    let message = "No such column 'Email' on entity 'Contact'.".to_owned();
    let refused = Effect::Error { status: 400, code: "INVALID_FIELD".into(), message };
    org.emulator.control().push_fault(Fault { nth: 3, ..Fault::next("GET */query*", refused) });
    let read = ReadChoice::Query;
    let stale = org.compile(&fields(&["LastName", "Email", "Description"])).await.unwrap();
    let setting = Setting { read, ..Setting::default() };
    let error = org.run_compiled(&stale, &durable, &setting).await.unwrap_err();
    assert!(matches!(error, RunError::Outdated { .. }), "{error:?}");
    let taken = durable.lock().unwrap().taken;
    assert!(taken > 0);
    let narrower = fields(&["LastName", "Description"]);
    let report = org.run(&narrower, &durable, setting).await.unwrap();
    assert!(report.resumed);
    org.assert_has_all("Contact", &durable).await;
    assert_eq!(durable.lock().unwrap().taken, ROWS, "what was written is not read again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_because_a_field_has_gone_asks_for_a_new_describe() {
    let org = org().await;
    let durable = nowhere();
    let message = "InvalidBatch : Field name not found : Email".to_owned();
    org.emulator.control().push_fault(Fault::next("POST */jobs/query", Effect::FailedJob { message }));
    let setting = Setting { read: ReadChoice::Bulk, ..Setting::default() };
    let stale = org.compile(&only("Contact", "Email")).await.unwrap();
    let error = org.run_compiled(&stale, &durable, &setting).await.unwrap_err();
    assert!(matches!(error, RunError::Outdated { .. }), "{error:?}");
    let report = org.run(&only("Contact", "Email"), &durable, setting).await.unwrap();
    assert_eq!(report.mode, Some(ReadMode::Bulk));
    assert_eq!(durable.lock().unwrap().checkpoint.as_ref().unwrap().at, Position::Complete);
    org.assert_has_all("Contact", &durable).await;
}
