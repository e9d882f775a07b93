//! A copy against its source: what was done to the copy behind the product's back is found, and put right.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use sync::{
    mapping::{ColumnMapping, Mapping},
    read::{ReadChoice, ReadMode},
    table::DeleteMode,
    verify::{Certificate, Depth, DifferenceKind, Repaired, VerifyError},
};

use crate::{
    memory::{Crash, Durable},
    org::{Comparing, Org, Setting, nowhere, only, whole},
    proof::Random,
};

const HOUR: Duration = Duration::from_secs(3600);

fn names() -> Mapping {
    let columns = ["FirstName", "LastName", "Email"].map(ColumnMapping::field).to_vec();
    Mapping { columns, ..whole("Contact") }
}

/// An org whose records have settled, and its copy.
async fn copied(scenario: &str, mapping: &Mapping) -> (Org, Arc<Mutex<Durable>>) {
    let org = Org::start(scenario).await;
    org.emulator.control().advance(HOUR);
    let durable = nowhere();
    org.sync(mapping, &durable).await;
    (org, durable)
}

fn repairing() -> Comparing {
    Comparing { repair: true, ..Comparing::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_its_source_is_certified_over_both_wires_and_at_both_depths() {
    let mapping = whole("Contact");
    let (org, durable) = copied("[rows]\nContact = 2500\n[bulk]\npage_rows = 700", &mapping).await;
    let mut sums = BTreeSet::new();
    for (read, mode) in [(ReadChoice::Query, ReadMode::Query), (ReadChoice::Bulk, ReadMode::Bulk)] {
        for depth in [Depth::Content, Depth::Versions] {
            let how = Comparing { read, depth, ..Comparing::default() };
            let certificate = org.verify(&mapping, &durable, how).await.unwrap();
            assert!(certificate.is_equal(), "{certificate:?}");
            assert_eq!((certificate.mode, certificate.depth), (mode, depth));
            assert_eq!([certificate.source().rows, certificate.copy().rows], [2500; 2]);
            assert!(certificate.slices.len() > 1, "records of several months");
            assert!(certificate.api_calls <= 20, "{} calls", certificate.api_calls);
            sums.insert(format!("{:?}", certificate.source()));
        }
    }
    assert_eq!(sums.len(), 2, "what is compared decides the checksum, not how it is read: {sums:?}");
}

/// Takes rows away, makes some up, and changes others.
fn tamper(
    durable: &Arc<Mutex<Durable>>,
    random: &mut Random,
) -> (BTreeSet<String>, BTreeSet<String>, BTreeSet<String>) {
    let mut durable = durable.lock().unwrap();
    let ids: Vec<String> = durable.rows.keys().cloned().collect();
    let mut chosen: BTreeSet<String> = BTreeSet::new();
    let mut choose = |count: u64| -> BTreeSet<String> {
        let mut these = BTreeSet::new();
        while (these.len() as u64) < count {
            let id = ids[random.below(ids.len() as u64) as usize].clone();
            if chosen.insert(id.clone()) {
                these.insert(id);
            }
        }
        these
    };
    let (removed, altered, copied) = (choose(3), choose(4), choose(2));
    let mut made_up = BTreeSet::new();
    for (number, id) in copied.iter().enumerate() {
        let mut row = durable.rows[id].clone();
        // One key looks like a record's, the other like nobody's.
        let key = if number == 0 { "003000000000FAKAAA".to_owned() } else { "made up".to_owned() };
        row.insert("Id".into(), Some(key.clone()));
        durable.rows.insert(key.clone(), row);
        made_up.insert(key);
    }
    for (number, id) in altered.iter().enumerate() {
        let row = durable.rows.get_mut(id).unwrap();
        match number {
            0 => row.insert("LastName".into(), None),
            1 => row.insert("SystemModstamp".into(), Some("2099-01-01T00:00:00.000Z".into())),
            2 => row.insert("_deleted".into(), Some("true".into())),
            _ => row.insert("Email".into(), Some("nobody@example.com".into())),
        };
    }
    removed.iter().for_each(|id| drop(durable.rows.remove(id)));
    (removed, made_up, altered)
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_were_removed_added_or_altered_are_named_and_put_right_and_no_others() {
    for seed in 0..6 {
        let mapping = Mapping { deletes: DeleteMode::Flag, ..names() };
        let (org, durable) = copied("[rows]\nContact = 1500", &mapping).await;
        let untouched = durable.lock().unwrap().rows.clone();
        let (removed, made_up, altered) = tamper(&durable, &mut Random::of(seed));
        let read = if seed % 2 == 0 { ReadChoice::Query } else { ReadChoice::Bulk };
        let found = org.verify(&mapping, &durable, Comparing { read, ..Comparing::default() }).await.unwrap();
        assert!(!found.is_equal());
        let differences = &found.differences;
        // The row that is flagged as deleted is a missing one: its record lives.
        assert_eq!([differences.missing, differences.extra, differences.altered], [4, 2, 3], "{differences:?}");
        assert!(["LastName", "SystemModstamp", "Email"].iter().all(|name| differences.columns[*name] == 1));
        let named: BTreeSet<String> = differences.examples.iter().map(|difference| difference.id.clone()).collect();
        let touched: BTreeSet<String> = [&removed, &made_up, &altered].into_iter().flatten().cloned().collect();
        assert_eq!(named, touched);

        let taken = durable.lock().unwrap().taken;
        let certificate = org.verify(&mapping, &durable, Comparing { read, ..repairing() }).await.unwrap();
        assert!(certificate.is_equal(), "{certificate:?}");
        assert_eq!(certificate.repaired, Some(Repaired { missing: 4, extra: 2, altered: 3 }));
        let mut durable = durable.lock().unwrap();
        assert_eq!(durable.taken - taken, 7, "rows that do not differ are not written");
        for id in made_up {
            assert_eq!(durable.rows.remove(&id).unwrap()["_deleted"].as_deref(), Some("true"));
        }
        assert_eq!(durable.rows, untouched);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_changed_since_the_last_run_is_no_difference() {
    let (org, durable) = copied("[rows]\nContact = 300", &names()).await;
    let ids: Vec<String> = durable.lock().unwrap().rows.keys().take(3).cloned().collect();
    org.emulator.control().advance(HOUR);
    org.insert_contact("Newcomer", Duration::ZERO);
    org.rename_contact(&ids[0], "Other");
    org.delete_contact(&ids[1]);
    let certificate = org.verify(&names(), &durable, Comparing::default()).await.unwrap();
    assert!(certificate.is_equal(), "{certificate:?}");
    assert_eq!((certificate.changed_since, certificate.source().rows), (3, 298));
    // Gone for good, and nothing tells of it but that nobody names it any more.
    org.delete_contact(&ids[2]);
    org.emulator.control().purge(&ids[2]).unwrap();
    let certificate =
        org.verify(&names(), &durable, Comparing { depth: Depth::Versions, ..repairing() }).await.unwrap();
    assert!(certificate.is_equal(), "{certificate:?}");
    assert_eq!(certificate.repaired, Some(Repaired { missing: 0, extra: 1, altered: 0 }));
    assert_eq!(durable.lock().unwrap().rows[&ids[2]]["_deleted"].as_deref(), Some("true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_change_without_moving_a_stamp_are_seen_in_the_content_alone() {
    let mapping = Mapping { columns: vec![ColumnMapping::field("Account.Name")], ..whole("Contact") };
    let (org, durable) = copied("[rows]\nContact = 200\nAccount = 5", &mapping).await;
    let account = org.client.query_with::<serde_json::Value>(
        "SELECT AccountId FROM Contact WHERE AccountId != null LIMIT 1",
        salesforce::query::Deleted::Excluded,
    );
    let account = account.await.unwrap()[0]["AccountId"].as_str().unwrap().to_owned();
    org.rename_account(&account, "Renamed");
    let shallow = Comparing { depth: Depth::Versions, ..Comparing::default() };
    assert!(org.verify(&mapping, &durable, shallow).await.unwrap().is_equal());
    let Certificate { differences, .. } = org.verify(&mapping, &durable, Comparing::default()).await.unwrap();
    assert!(differences.altered > 0 && differences.altered == differences.count(), "{differences:?}");
    let only_the_name = DifferenceKind::Altered { columns: vec!["Account_Name".into()] };
    assert!(differences.examples.iter().all(|difference| difference.kind == only_the_name), "{differences:?}");
    assert!(org.verify(&mapping, &durable, repairing()).await.unwrap().is_equal());
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_become_no_row_are_not_missing() {
    let required = Mapping {
        columns: vec![ColumnMapping { required: true, ..ColumnMapping::field("Email") }],
        ..whole("Contact")
    };
    let (org, durable) = copied("[rows]\nContact = 300", &required).await;
    for depth in [Depth::Content, Depth::Versions] {
        let certificate = org.verify(&required, &durable, Comparing { depth, ..Comparing::default() }).await.unwrap();
        assert!(certificate.is_equal() && certificate.rejected > 0, "{certificate:?}");
        assert_eq!(certificate.rejected + certificate.source().rows, 300);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_not_whole_or_is_a_sample_gets_no_certificate() {
    let org = Org::start("[rows]\nContact = 2500\n[pages]\nrows = 500").await;
    let durable = nowhere();
    let refused = |result: Result<Certificate, VerifyError>| result.unwrap_err().to_string();
    let nothing = refused(org.verify(&names(), &durable, Comparing::default()).await);
    assert!(nothing.contains("nothing was imported"), "{nothing}");
    let setting = Setting { crash: Some(Crash::After(1)), read: ReadChoice::Query, ..Setting::default() };
    org.run(&names(), &durable, setting).await.unwrap_err();
    let stopped = refused(org.verify(&names(), &durable, Comparing::default()).await);
    assert!(stopped.contains("stopped before its end"), "{stopped}");
    org.sync(&names(), &durable).await;
    let other = refused(org.verify(&only("Contact", "Phone"), &durable, Comparing::default()).await);
    assert!(other.contains("have changed since the last run"), "{other}");
    let sample = Mapping { limit: Some(10), ..names() };
    let sample = refused(org.verify(&sample, &durable, Comparing::default()).await);
    assert!(sample.contains("limit"), "{sample}");
}
