//! The same data read both ways gives the same table.

use sync::{
    mapping::{ColumnMapping, Mapping},
    read::{ReadChoice, ReadMode},
};

use crate::org::{Org, Setting, nowhere, only, whole};

/// Every field that both ways can read.
async fn readable_both_ways(org: &Org, object: &str) -> Mapping {
    let describe = org.client.describe(object).await.unwrap();
    let readable = |name: &String| {
        let catalogue = [describe.clone()].into_iter().collect();
        only(object, name).compile(&catalogue).is_ok_and(|compiled| compiled.bulk_readable)
    };
    let names = describe.fields.iter().map(|field| field.name.clone()).filter(readable);
    let columns: Vec<ColumnMapping> = names.map(ColumnMapping::field).collect();
    assert!(columns.len() > 5, "{object} has fields to compare");
    Mapping { columns, ..whole(object) }
}

// Pitfall 46.
#[tokio::test(flavor = "multi_thread")]
async fn query_and_bulk_give_the_same_table() {
    let org = Org::start("[rows]\nAccount = 700\nContact = 2500\nInvoice__c = 900\n[bulk]\npage_rows = 400").await;
    for object in ["Account", "Contact", "Invoice__c", "Opportunity", "User"] {
        let (by_query, by_bulk) = (nowhere(), nowhere());
        let query = Setting { read: ReadChoice::Query, ..Setting::default() };
        let bulk = Setting { read: ReadChoice::Bulk, ..Setting::default() };
        let mapping = readable_both_ways(&org, object).await;
        let report = org.run(&mapping, &by_query, query).await.unwrap();
        assert_eq!(report.mode.unwrap_or(ReadMode::Query), ReadMode::Query);
        let report = org.run(&mapping, &by_bulk, bulk).await.unwrap();
        assert_eq!(report.mode, Some(ReadMode::Bulk));
        let count = org.count(object).await;
        let (by_query, by_bulk) = (by_query.lock().unwrap(), by_bulk.lock().unwrap());
        assert_eq!(by_query.rows.len(), count, "{object}");
        assert_eq!(by_query.rows.len(), by_bulk.rows.len(), "{object}");
        for (id, row) in &by_query.rows {
            assert_eq!(row, &by_bulk.rows[id], "{object} {id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_records_are_read_by_bulk_and_few_by_query() {
    let org = Org::start("[rows]\nAccount = 999\nContact = 1100").await;
    assert_eq!(org.sync(&whole("Account"), &nowhere()).await.mode, Some(ReadMode::Query));
    assert_eq!(org.sync(&whole("Contact"), &nowhere()).await.mode, Some(ReadMode::Bulk));
}

// Pitfall 9.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_bulk_refuses_is_queried_instead_of_failing() {
    let org = Org::start("[rows]\nContact = 1500\n[bulk]\nrefused_objects = [\"Contact\"]").await;
    let durable = nowhere();
    let report = org.sync(&whole("Contact"), &durable).await;
    assert_eq!(report.mode, Some(ReadMode::Query));
    org.assert_has_all("Contact", &durable).await;
}
