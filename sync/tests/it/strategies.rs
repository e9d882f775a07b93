//! Objects of odd rules: each is read by the strategy that suits it, or refused with the reason.

use std::time::Duration;

use serde_json::json;
use sync::{
    catalogue::Catalogue,
    mapping::Mapping,
    read::ReadMode,
    run::{Deletions, Report},
    table::DeleteMode,
};

use crate::{
    memory::Crash,
    org::{Org, Setting, nowhere, whole},
};

const HOUR: Duration = Duration::from_secs(3600);

async fn org() -> Org {
    let rows = "Account = 40\nContact = 20\nTask = 60\nAccountHistory = 300\nAccountShare = 80\nLoginHistory = 120\n\
                ActivityFieldHistory = 90\nContentFolderLink = 70\nContentDocument = 450\nContentDocumentLink = 700\n\
                CaseStatus = 4\nAttachment = 30\nCampaign = 3\nCampaignMember = 25";
    Org::start(&format!("[rows]\n{rows}")).await
}

/// Reads an object twice, an hour apart, and says how.
async fn twice(org: &Org, object: &str) -> (Report, Report) {
    let durable = nowhere();
    let first = org.sync(&whole(object), &durable).await;
    assert!(first.counts.rows > 0, "{object} has rows");
    let rows = durable.lock().unwrap().rows.clone();
    org.emulator.control().advance(HOUR);
    let second = org.sync(&whole(object), &durable).await;
    assert_eq!(durable.lock().unwrap().rows.len(), rows.len(), "{object}");
    (first, second)
}

// Pitfalls 20, 45.
#[tokio::test(flavor = "multi_thread")]
async fn histories_shares_and_logins_are_read_by_the_stamp_that_they_have() {
    let org = org().await;
    for object in ["AccountHistory", "AccountShare", "LoginHistory"] {
        let (_, second) = twice(&org, object).await;
        assert!(second.window.from.is_some(), "{object}: only what has been added or changed");
        assert_eq!(second.counts.read, 0, "{object}");
    }
}

// Pitfalls 16, 61.
#[tokio::test(flavor = "multi_thread")]
async fn objects_without_a_usable_stamp_are_read_whole_each_time_and_swept() {
    let org = org().await;
    for object in ["ContentFolderLink", "ActivityFieldHistory"] {
        let (first, second) = twice(&org, object).await;
        assert_eq!(second.window.from, None, "{object}");
        assert_eq!((second.counts.read, second.counts.swept), (first.counts.read, 0), "{object}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_without_a_log_of_deletions_says_so() {
    let org = org().await;
    let (_, second) = twice(&org, "AccountShare").await;
    let Deletions::Unknown { reason } = second.deletions else { panic!("{:?}", second.deletions) };
    assert!(reason.contains("AccountShare keeps no log of its deletions"), "{reason}");
}

// Pitfall 9.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_bulk_does_not_know_is_queried() {
    let org = org().await;
    let (first, _) = twice(&org, "CaseStatus").await;
    assert_eq!(first.mode, Some(ReadMode::Query));
}

// Pitfall 44.
#[tokio::test(flavor = "multi_thread")]
async fn links_of_documents_are_read_in_slices_and_a_run_that_dies_goes_on_with_the_next_one() {
    let org = org().await;
    let links = whole("ContentDocumentLink");
    let undisturbed = nowhere();
    let report = org.sync(&links, &undisturbed).await;
    let undisturbed = undisturbed.lock().unwrap().clone();
    assert_eq!((report.counts.rows, undisturbed.rows.len()), (700, 700));
    for write in 0..undisturbed.writes {
        let durable = nowhere();
        let crashing = Setting { crash: Some(Crash::After(write)), ..Setting::default() };
        org.run(&links, &durable, crashing).await.unwrap_err();
        org.sync(&links, &durable).await;
        assert_eq!(durable.lock().unwrap().rows, undisturbed.rows, "died after write {write}");
    }
    let limited = nowhere();
    org.sync(&Mapping { limit: Some(30), ..links }, &limited).await;
    assert_eq!(limited.lock().unwrap().rows.len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_added_or_removed_is_noticed() {
    let org = org().await;
    let links = Mapping { deletes: DeleteMode::Remove, ..whole("ContentDocumentLink") };
    let durable = nowhere();
    org.sync(&links, &durable).await;
    let gone = durable.lock().unwrap().rows.keys().next().unwrap().clone();
    org.emulator.control().advance(2 * HOUR);
    org.emulator.control().delete(&gone).unwrap();
    org.emulator.control().advance(2 * HOUR);
    let report = org.sync(&links, &durable).await;
    assert!(report.window.from.is_some());
    assert!(!durable.lock().unwrap().rows.contains_key(&gone));
}

// Pitfall 11.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_a_campaign_that_is_removed_goes_from_the_table() {
    let org = org().await;
    let members = Mapping { deletes: DeleteMode::Remove, ..whole("CampaignMember") };
    let durable = nowhere();
    org.sync(&members, &durable).await;
    org.emulator.control().advance(2 * HOUR);
    let gone = durable.lock().unwrap().rows.keys().next().unwrap().clone();
    org.emulator.control().delete(&gone).unwrap();
    org.emulator.control().advance(2 * HOUR);
    org.sync(&members, &durable).await;
    assert!(!durable.lock().unwrap().rows.contains_key(&gone));
    org.assert_has_all("CampaignMember", &durable).await;
}

// Pitfall 33.
#[tokio::test(flavor = "multi_thread")]
async fn archived_activities_are_in_the_table_from_the_first_reading_on_and_stay() {
    let org = org().await;
    let control = org.emulator.control();
    let (early, late) = (nowhere(), nowhere());
    let id = control.insert("Task", json!({"Subject": "Old"})).unwrap().to_string();
    org.sync(&whole("Task"), &early).await;
    control.advance(HOUR);
    control.archive(&id).unwrap();
    control.advance(HOUR);
    let full = Setting { full: true, ..Setting::default() };
    org.run(&whole("Task"), &early, full).await.unwrap();
    org.sync(&whole("Task"), &late).await;
    for durable in [&early, &late] {
        let durable = durable.lock().unwrap();
        assert_eq!(durable.rows[&id]["_deleted"].as_deref(), Some("false"));
        assert_eq!(durable.rows[&id]["IsArchived"].as_deref(), Some("true"));
    }
}

// Pitfall 49.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_read_as_its_address_and_its_object_by_query() {
    let org = org().await;
    let durable = nowhere();
    let report = org.sync(&crate::org::only("Attachment", "Body"), &durable).await;
    assert_eq!(report.mode, Some(ReadMode::Query));
    let durable = durable.lock().unwrap();
    let (id, row) = durable.rows.iter().next().unwrap();
    assert!(row["Body"].as_deref().unwrap().ends_with(&format!("/sobjects/Attachment/{id}/Body")), "{row:?}");
}

// Pitfalls 25, 49.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_needs_a_filter_is_refused_without_one_and_with_an_example() {
    let org = org().await;
    let catalogue = Catalogue::load(&org.client, &whole("Vote")).await.unwrap();
    let problems = whole("Vote").compile(&catalogue).unwrap_err();
    assert!(problems[0].message.contains("ParentId = '…'"), "{problems:?}");
    let filtered = Mapping { filter: Some("ParentId = '087000000000001'".into()), ..whole("Vote") };
    assert!(filtered.compile(&catalogue).is_ok());
}
