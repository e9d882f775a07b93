//! Rows that are not records: the owners of accounts, and people from several streams.

use sync::mapping::{ColumnMapping, Mapping};

use crate::org::{Org, nowhere, whole};

fn owners() -> Mapping {
    let named = |path: &str, name: &str| ColumnMapping { column: Some(name.into()), ..ColumnMapping::field(path) };
    Mapping {
        table: Some("people".into()),
        stream: Some("owners".into()),
        key: Some("OwnerId".into()),
        columns: vec![
            named("Owner.Username", "login"),
            ColumnMapping::compute("upper(Owner.LastName) + '!'", "shout"),
            ColumnMapping {
                default: Some(sync::mapping::Constant::Text("?".into())),
                ..named("Owner.FirstName", "first")
            },
        ],
        ..whole("Account")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_of_accounts_become_rows_of_their_own() {
    for choice in [sync::read::ReadChoice::Query, sync::read::ReadChoice::Bulk] {
        let org = Org::start("[rows]\nAccount = 40").await;
        let durable = nowhere();
        let setting = crate::org::Setting { read: choice, ..crate::org::Setting::default() };
        org.run(&owners(), &durable, setting).await.unwrap();
        let rows = durable.lock().unwrap().rows.clone();
        assert!(!rows.is_empty() && rows.len() < 40, "{} owners of 40 accounts", rows.len());
        for (id, row) in &rows {
            assert!(id.starts_with("005"), "{id} is a user");
            assert_eq!(row["Id"].as_deref(), Some(id.as_str()));
            assert!(row["SystemModstamp"].is_some() && row["login"].is_some());
            assert!(row["shout"].as_deref().unwrap().ends_with('!'));
        }
        // The next window asks for changes of accounts and of their owners, and nothing is lost.
        org.sync(&owners(), &durable).await;
        assert_eq!(durable.lock().unwrap().rows.len(), rows.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conversions_give_the_same_rows_by_query_and_by_bulk() {
    let org = Org::start("[rows]\nContact = 300\n[bulk]\npage_rows = 70").await;
    let named = |column: ColumnMapping, name: &str| ColumnMapping { column: Some(name.into()), ..column };
    let field = |path: &str| ColumnMapping::field(path);
    let mapping = Mapping {
        columns: vec![
            ColumnMapping { case: Some(sync::mapping::Case::Upper), ..named(field("LastName"), "name") },
            ColumnMapping {
                target: Some(sync::mapping::Target::Text),
                format: Some("%d.%m.%Y".into()),
                ..named(field("CreatedDate"), "made")
            },
            ColumnMapping::compute("coalesce(FirstName, '?') + ' of ' + coalesce(Account.Name, 'nobody')", "who"),
            ColumnMapping { required: true, ..named(field("Email"), "email") },
        ],
        ..whole("Contact")
    };
    let (by_query, by_bulk) = (nowhere(), nowhere());
    let setting = |read| crate::org::Setting { read, ..crate::org::Setting::default() };
    let query = org.run(&mapping, &by_query, setting(sync::read::ReadChoice::Query)).await.unwrap();
    let bulk = org.run(&mapping, &by_bulk, setting(sync::read::ReadChoice::Bulk)).await.unwrap();
    assert_eq!(query.counts.rows + query.counts.rejected, 300);
    assert_eq!((query.counts.rows, query.counts.rejected), (bulk.counts.rows, bulk.counts.rejected));
    assert_eq!(by_query.lock().unwrap().rows, by_bulk.lock().unwrap().rows);
    for row in by_query.lock().unwrap().rows.values() {
        assert!(row["who"].as_deref().unwrap().contains(" of "));
        assert_eq!(row["made"].as_deref().map(str::len), Some(10));
    }
}
