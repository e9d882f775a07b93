//! Ways in which importers lose or change data, each through the whole program.

use std::path::Path;

use emulator::{
    Scenario,
    ids::RecordId,
    schema::{FieldSpec, FieldType},
    value::Value,
};
use serde_json::json;

use crate::org::{Acme, rows};

/// The org with the records that a test makes and no others, for a user who sees everything.
async fn org() -> Acme {
    let mut scenario = Scenario::builtin("acme").unwrap();
    scenario.rows.clear();
    for user in &mut scenario.users {
        "System Administrator".clone_into(&mut user.profile);
    }
    let org = Acme::of(scenario).await;
    org.connect().await;
    org
}

/// A contact with values that no client could have stored, as old data has them.
fn odd_contact(org: &Acme, last_name: &str, values: &[(&str, Value)]) -> RecordId {
    let control = org.emulator.control();
    let id = control.insert("Contact", json!({"LastName": last_name})).unwrap();
    control.write(|database, _| {
        for (field, value) in values {
            database.store_raw(id, field, value.clone()).unwrap();
        }
    });
    id
}

/// Imports all contacts into a database of its own, and returns how many values were rejected.
async fn import(org: &Acme, read: &str, database: &Path) -> u64 {
    let line = format!("import acme Contact --read {read} --to sqlite:{} --json", database.display());
    let imported = org.run(&line).await;
    assert_eq!(imported.code, 0, "{imported:?}");
    imported.json()["streams"][0]["rejected_values"].as_u64().unwrap()
}

fn column(database: &Path, column: &str, id: RecordId) -> Option<String> {
    let sql = format!("SELECT {column} FROM Contact WHERE Id = ?1");
    let database = rusqlite::Connection::open(database).unwrap();
    database.query_row(&sql, [id.to_string()], |row| row.get(0)).unwrap()
}

// Pitfalls 5, 13.
#[tokio::test]
async fn nul_bytes_and_texts_of_any_length_reach_the_table_whole_over_both_wires() {
    let org = org().await;
    let long = "A line, \"quoted\".\r\n".repeat(20_000);
    let values = [("Title", Value::text("a\0b\0")), ("Description", Value::text(long.as_str()))];
    let id = odd_contact(&org, "Odd", &values);
    for read in ["rest", "bulk"] {
        let database = org.directory.path().join(format!("{read}.db"));
        assert_eq!(import(&org, read, &database).await, 0);
        assert_eq!(column(&database, "Title", id).as_deref(), Some("a\0b\0"), "{read}");
        assert!(column(&database, "Description", id).is_some_and(|text| text == long), "{read}");
    }
}

// Pitfall 15.
#[tokio::test]
async fn a_value_that_its_column_cannot_hold_costs_the_cell_and_not_the_row_and_is_counted() {
    let org = org().await;
    let values = [("Score__c", Value::text("NaN")), ("Birthdate", Value::text("31.2.1999"))];
    let first = odd_contact(&org, "First", &values);
    let second = odd_contact(&org, "Second", &[("Score__c", Value::text("-Infinity"))]);
    for read in ["rest", "bulk"] {
        let database = org.directory.path().join(format!("{read}.db"));
        assert_eq!(import(&org, read, &database).await, 3, "{read}");
        for (id, name) in [(first, "First"), (second, "Second")] {
            assert_eq!(column(&database, "LastName", id).as_deref(), Some(name), "{read}");
            assert_eq!(column(&database, "Score__c", id), None, "{read}");
        }
        assert_eq!(column(&database, "Birthdate", first), None, "{read}");
    }
}

// Pitfall 62.
#[tokio::test]
async fn a_field_created_between_an_import_and_a_sync_is_in_every_row() {
    let org = org().await;
    let control = org.emulator.control();
    let before = odd_contact(&org, "Before", &[]);
    assert_eq!(org.run("import acme Contact").await.code, 0);
    let spec = FieldSpec::of("Fresh__c", FieldType::String);
    control.declare_field("Contact", &spec).unwrap();
    control.write(|database, _| database.store_raw(before, "Fresh__c", Value::text("there already")).unwrap());
    // What the import was told of the fields is too old by now.
    let synced = org.run_with("sync acme", &[("ORGTIDE_DESCRIBE_MINUTES", "0")]).await;
    assert_eq!(synced.code, 0, "{synced:?}");
    let database = org.data().join("acme.db");
    assert_eq!(column(&database, "Fresh__c", before).as_deref(), Some("there already"));
}

// Pitfall 61.
#[tokio::test]
async fn an_object_whose_stamp_cannot_be_filtered_is_read_whole_each_time() {
    let org = org().await;
    let control = org.emulator.control();
    // As ActivityFieldHistory describes itself.
    let stamp = json!({"name": "SystemModstamp", "type": "datetime", "filterable": false});
    let spec = json!({"name": "Log__c", "system_fields": "created_only", "fields": [stamp]});
    control.declare_object(&serde_json::from_value(spec).unwrap()).unwrap();
    control.insert("Log__c", json!({"Name": "One"})).unwrap();
    assert_eq!(org.run("import acme Log__c").await.code, 0);
    control.insert("Log__c", json!({"Name": "Two"})).unwrap();
    let synced = org.run("sync acme --json").await;
    assert_eq!(synced.code, 0, "{synced:?}");
    assert_eq!(synced.json()["streams"][0]["rows"], 2, "{synced:?}");
    assert_eq!(rows(&org.data().join("acme.db"), "SELECT COUNT(*) FROM Log__c"), 2);
}

// Pitfall 10.
#[tokio::test]
async fn a_record_deleted_since_is_flagged_when_everything_is_read_again() {
    let org = org().await;
    let control = org.emulator.control();
    assert_eq!(org.run("import acme Contact").await.code, 0);
    for again in [
        "import acme Contact --read rest",
        "import acme Contact --read bulk",
        "import acme Contact --fields LastName --read bulk",
        "import acme Contact --fields LastName,Title --read rest",
    ] {
        let id = odd_contact(&org, "Gone", &[]);
        assert_eq!(org.run("sync acme").await.code, 0);
        // No overlap of two windows reaches back to the deletion.
        control.advance(std::time::Duration::from_secs(3600));
        control.delete(&id.to_string()).unwrap();
        control.advance(std::time::Duration::from_secs(3600));
        let ended = org.run(again).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_eq!(rows(&org.data().join("acme.db"), "SELECT COUNT(*) FROM Contact WHERE _deleted = 0"), 0, "{again}");
    }
}
