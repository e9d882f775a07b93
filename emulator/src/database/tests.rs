//! What writes leave behind, and what readers of older views see.

use serde_json::{Value as Json, json};

use super::*;
use crate::catalog;
use crate::schema::FullAccess;
use crate::table::IdRange;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn user() -> RecordId {
    RecordId::parse("005gL0000000001").unwrap()
}

fn author(time: &str) -> Author<'static> {
    Author { user: user(), at: at(time), access: &FullAccess }
}

fn record(value: Json) -> Record {
    value.as_object().unwrap().clone()
}

const MONDAY: &str = "2026-11-16T10:00:00.750Z";
const TUESDAY: &str = "2026-11-17T10:00:00Z";
const WEDNESDAY: &str = "2026-11-18T10:00:00Z";

fn org() -> Database {
    let mut database = Database::new(catalog::standard(), 7);
    let admin = json!({"LastName": "Admin", "Username": "admin@acme.test", "Email": "admin@acme.test"});
    database.insert_as("User", user(), &record(admin), &author(MONDAY)).unwrap();
    database
}

fn account(database: &mut Database, time: &str) -> RecordId {
    database.insert("Account", &record(json!({"Name": "Acme"})), &author(time)).unwrap()
}

fn field(database: &Database, id: RecordId, name: &str) -> Value {
    let row = database.current().row(id).unwrap();
    row.value(row.object().find(name).unwrap().0)
}

fn refused(value: Json, object: &str) -> RowError {
    org().insert(object, &record(value), &author(MONDAY)).unwrap_err()
}

#[test]
fn an_insert_fills_the_audit_fields_to_the_second() {
    let mut database = org();
    let id = account(&mut database, MONDAY);
    for name in ["CreatedDate", "LastModifiedDate", "SystemModstamp"] {
        assert_eq!(field(&database, id, name), Value::DateTime(at("2026-11-16T10:00:00Z")), "{name}");
    }
    for name in ["CreatedById", "LastModifiedById", "OwnerId"] {
        assert_eq!(field(&database, id, name), Value::Id(user()), "{name}");
    }
    assert_eq!(field(&database, id, "Active__c"), Value::Bool(false));
}

#[test]
fn an_update_moves_the_modification_and_keeps_the_creation() {
    let mut database = org();
    let id = account(&mut database, MONDAY);
    database.update(id, &record(json!({"Phone": "1", "Name": "New"})), &author(TUESDAY)).unwrap();
    assert_eq!(field(&database, id, "Name"), Value::text("New"));
    assert_eq!(field(&database, id, "SystemModstamp"), Value::DateTime(at(TUESDAY)));
    assert_eq!(field(&database, id, "LastModifiedDate"), Value::DateTime(at(TUESDAY)));
    assert_eq!(field(&database, id, "CreatedDate"), Value::DateTime(at("2026-11-16T10:00:00Z")));
    database.touch_system(id, at(WEDNESDAY)).unwrap();
    assert_eq!(field(&database, id, "SystemModstamp"), Value::DateTime(at(WEDNESDAY)));
    assert_eq!(field(&database, id, "LastModifiedDate"), Value::DateTime(at(TUESDAY)));
}

#[test]
fn a_snapshot_does_not_see_later_writes() {
    let mut database = org();
    database.generate("Contact", 100, at(MONDAY)).unwrap();
    let id = account(&mut database, MONDAY);
    let before = database.snapshot();
    database.update(id, &record(json!({"Name": "Changed"})), &author(TUESDAY)).unwrap();
    database.delete(id, &author(TUESDAY)).unwrap();
    let second = account(&mut database, TUESDAY);
    let row = before.row(id).unwrap();
    assert_eq!(row.value(row.object().find("Name").unwrap().0), Value::text("Acme"));
    assert!(!row.is_deleted());
    assert!(before.row(second).is_none());
    assert!(database.current().row(id).unwrap().is_deleted());
}

#[test]
fn changes_to_generated_rows_show_in_place() {
    let mut database = org();
    database.generate("Contact", 1000, at(MONDAY)).unwrap();
    let (index, _) = database.schema().find("Contact").unwrap();
    let ids: Vec<RecordId> = database.current().table(index).scan(IdRange::ALL).map(|row| row.id()).collect();
    assert_eq!(ids.len(), 1002);
    assert_eq!((database.current().table(index).live_rows(), database.current().table(index).binned_rows()), (1000, 2));
    database.update(ids[10], &record(json!({"LastName": "Changed"})), &author(TUESDAY)).unwrap();
    database.delete(ids[20], &author(TUESDAY)).unwrap();
    database.purge(ids[30], at(TUESDAY)).unwrap();
    let added = database.insert("Contact", &record(json!({"LastName": "Added"})), &author(TUESDAY)).unwrap();
    let after: Vec<RecordId> = database.current().table(index).scan(IdRange::ALL).map(|row| row.id()).collect();
    let mut expected = ids.clone();
    expected.remove(30);
    expected.push(added);
    assert_eq!(after, expected);
    assert_eq!((database.current().table(index).live_rows(), database.current().table(index).binned_rows()), (999, 3));
    assert_eq!(field(&database, ids[10], "LastName"), Value::text("Changed"));
    assert!(database.current().row(ids[30]).is_none());
}

#[test]
fn scans_of_any_id_range_agree_with_filtering_all_rows() {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let mut database = org();
    database.generate("Account", 50, at(MONDAY)).unwrap();
    let foreign = RecordId::parse("0019000000B98de").unwrap();
    database.insert_as("Account", foreign, &record(json!({"Name": "Elsewhere"})), &author(MONDAY)).unwrap();
    account(&mut database, MONDAY);
    let (index, _) = database.schema().find("Account").unwrap();
    let table = database.current().table(index);
    let all: Vec<RecordId> = table.scan(IdRange::ALL).map(|row| row.id()).collect();
    assert!(all.is_sorted() && all.len() == 52);
    for low in [0, 1, 25, 51] {
        for high in [0, 1, 30, 51] {
            for from in [Unbounded, Included(all[low]), Excluded(all[low])] {
                for to in [Unbounded, Included(all[high]), Excluded(all[high])] {
                    let found: Vec<RecordId> = table.scan(IdRange { from, to }).map(|row| row.id()).collect();
                    let within = |id: &RecordId| {
                        let above = match from {
                            Included(x) => *id >= x,
                            Excluded(x) => *id > x,
                            Unbounded => true,
                        };
                        let below = match to {
                            Included(x) => *id <= x,
                            Excluded(x) => *id < x,
                            Unbounded => true,
                        };
                        above && below
                    };
                    let expected: Vec<RecordId> = all.iter().copied().filter(within).collect();
                    assert_eq!(found, expected, "{from:?} to {to:?}");
                }
            }
        }
    }
}

#[test]
fn deletes_can_be_taken_back_until_the_row_is_purged() {
    let mut database = org();
    let id = account(&mut database, MONDAY);
    let (index, _) = database.schema().find("Account").unwrap();
    let everything = |database: &Database| {
        let ids = database.current().deleted(index, at(MONDAY), at("2026-11-30T00:00:00Z"));
        ids.into_iter().map(|deletion| (deletion.id, deletion.at)).collect::<Vec<_>>()
    };
    database.delete(id, &author(TUESDAY)).unwrap();
    assert_eq!(database.delete(id, &author(TUESDAY)).unwrap_err().status_code, StatusCode::EntityIsDeleted);
    assert_eq!(field(&database, id, "IsDeleted"), Value::Bool(true));
    assert_eq!(field(&database, id, "SystemModstamp"), Value::DateTime(at(TUESDAY)));
    assert_eq!(everything(&database), [(id, at(TUESDAY))]);
    database.undelete(id, &author(WEDNESDAY)).unwrap();
    assert_eq!(everything(&database), []);
    assert_eq!(database.current().updated(index, at(WEDNESDAY), at("2026-11-30T00:00:00Z")), [id]);
    database.delete(id, &author(WEDNESDAY)).unwrap();
    database.purge(id, at("2026-11-20T00:00:00Z")).unwrap();
    assert!(database.current().row(id).is_none());
    assert_eq!(everything(&database), [(id, at(WEDNESDAY))]);
}

#[test]
fn a_late_commit_shows_now_with_a_stamp_in_the_past() {
    let mut database = org();
    account(&mut database, WEDNESDAY);
    let late = account(&mut database, TUESDAY);
    assert_eq!(field(&database, late, "SystemModstamp"), Value::DateTime(at(TUESDAY)));
    let (index, _) = database.schema().find("Account").unwrap();
    assert!(database.current().updated(index, at(TUESDAY), at(WEDNESDAY)).contains(&late));
}

#[test]
fn refused_rows_name_code_and_field() {
    for (object, value, code, message) in [
        (
            "Contact",
            json!({"FirstName": "A"}),
            StatusCode::RequiredFieldMissing,
            "Required fields are missing: [LastName]",
        ),
        (
            "Account",
            json!({"AccountNumer": "1"}),
            StatusCode::InvalidField,
            "No such column 'AccountNumer' on sobject of type Account",
        ),
        (
            "Account",
            json!({"Name": "A", "CreatedDate": "2024-01-01"}),
            StatusCode::InvalidFieldForInsertUpdate,
            "Unable to create/update fields: CreatedDate. Please check the security settings of this field and verify that \
             it is read/write for your profile or permission set.",
        ),
        (
            "Account",
            json!({"Name": "A", "Site": "x".repeat(81)}),
            StatusCode::StringTooLong,
            &format!("Site: data value too large: {} (max length=80)", "x".repeat(81)),
        ),
        (
            "Invoice__c",
            json!({"Status__c": "Lost"}),
            StatusCode::InvalidOrNullForRestrictedPicklist,
            "Status: bad value for restricted picklist field: Lost",
        ),
        (
            "Contact",
            json!({"LastName": "A", "AccountId": "001gL0000000009"}),
            StatusCode::InvalidCrossReferenceKey,
            "invalid cross reference id",
        ),
        (
            "Contact",
            json!({"LastName": "A", "AccountId": "003gL0000000009"}),
            StatusCode::MalformedId,
            "Account ID: id value of incorrect type: 003gL0000000009",
        ),
        (
            "Contact",
            json!({"LastName": "A", "Birthdate": "soon"}),
            StatusCode::InvalidTypeOnFieldInRecord,
            "Birthdate: value not of required type: soon",
        ),
        (
            "Contact",
            json!({"LastName": "A", "Email": "nobody"}),
            StatusCode::InvalidEmailAddress,
            "Email: invalid email address: nobody",
        ),
    ] {
        let error = refused(value, object);
        assert_eq!(error.status_code, code, "{}", error.message);
        assert!(error.message.ends_with(message) || message.ends_with(&error.message), "{}", error.message);
    }
    let shown = serde_json::to_value(refused(json!({}), "Contact")).unwrap();
    assert_eq!(
        shown,
        json!({"statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName]", "fields": ["LastName"]})
    );
}

#[test]
fn a_refused_insert_writes_nothing() {
    let mut database = org();
    let _ = database.insert("Account", &record(json!({"Name": "A", "Phone": "x".repeat(200)})), &author(MONDAY));
    let (index, _) = database.schema().find("Account").unwrap();
    assert_eq!(database.current().table(index).live_rows(), 0);
}

#[test]
fn unique_external_ids_are_unique_whatever_their_case() {
    let mut database = org();
    let invoice = |key: &str| record(json!({"External_Key__c": key}));
    let first = database.insert("Invoice__c", &invoice("K-1"), &author(MONDAY)).unwrap();
    let error = database.insert("Invoice__c", &invoice("k-1"), &author(MONDAY)).unwrap_err();
    assert_eq!(error.status_code, StatusCode::DuplicateValue);
    assert!(error.message.contains(&first.to_string()));
    database.update(first, &invoice("K-1"), &author(TUESDAY)).unwrap();
    let (index, object) = database.schema().find("Invoice__c").unwrap();
    let (key, _) = object.find("External_Key__c").unwrap();
    assert_eq!(database.current().find_by_text(index, key, "k-1"), [first]);
}

#[test]
fn a_field_declared_later_is_null_in_older_rows() {
    let mut database = org();
    let id = account(&mut database, MONDAY);
    let spec = FieldSpec::of("Late__c", crate::schema::FieldType::String);
    database.declare_field("Account", &spec).unwrap();
    assert_eq!(field(&database, id, "Late__c"), Value::Null);
    database.update(id, &record(json!({"Late__c": "now"})), &author(TUESDAY)).unwrap();
    assert_eq!(field(&database, id, "Late__c"), Value::text("now"));
}

#[test]
fn data_that_breaks_its_fields_rules_can_be_stored() {
    let mut database = org();
    let id = database.insert("Contact", &record(json!({"LastName": "A"})), &author(MONDAY)).unwrap();
    database.store_raw(id, "Birthdate", Value::text("garbage\u{0}")).unwrap();
    assert_eq!(field(&database, id, "Birthdate"), Value::text("garbage\u{0}"));
}

fn upsert(database: &mut Database, record: &Record) -> Result<Saved, RowError> {
    database.change(&Change::Upsert { object: "Account", key: "Customer_Number__c", record }, &author(TUESDAY))
}

#[test]
fn an_upsert_inserts_once_and_updates_from_then_on() {
    let mut database = org();
    let acme = record(json!({"Name": "Acme", "Customer_Number__c": "C-1"}));
    let first = upsert(&mut database, &acme).unwrap();
    let renamed = record(json!({"Name": "Acme Corporation", "customer_number__c": "C-1"}));
    let second = upsert(&mut database, &renamed).unwrap();
    assert_eq!((first.created, second.created, first.id), (true, false, second.id));
    assert_eq!(field(&database, first.id, "Name"), Value::text("Acme Corporation"));
    let keyless = upsert(&mut database, &record(json!({"Name": "Nobody"}))).unwrap_err();
    assert_eq!(
        (keyless.status_code, keyless.message.as_str()),
        (StatusCode::MissingArgument, "Customer_Number__c not specified")
    );
}

#[test]
fn a_parent_is_named_by_its_external_id() {
    let mut database = org();
    let acme = upsert(&mut database, &record(json!({"Name": "Acme", "Customer_Number__c": "C-1"}))).unwrap().id;
    let of = |number: &str| record(json!({"LastName": "Lovelace", "Account": {"Customer_Number__c": number}}));
    let ada = database.insert("Contact", &of("C-1"), &author(TUESDAY)).unwrap();
    assert_eq!(field(&database, ada, "AccountId"), Value::Id(acme));
    let stranger = database.insert("Contact", &of("C-2"), &author(TUESDAY)).unwrap_err();
    assert_eq!(
        stranger.message,
        "Foreign key external ID: C-2 not found for field Customer_Number__c in entity Account"
    );
}

#[test]
fn one_refusal_undoes_all_when_it_is_all_or_none() {
    let mut database = org();
    let (good, bad) = (record(json!({"Name": "Acme"})), record(json!({"Phone": "1"})));
    let changes = [&good, &bad].map(|record| Change::Insert { object: "Account", record });
    let codes = |results: Vec<Result<Saved, RowError>>| -> Vec<Option<StatusCode>> {
        results.into_iter().map(|result| result.err().map(|error| error.status_code)).collect()
    };
    let (rolled_back, missing) = (StatusCode::AllOrNoneOperationRolledBack, StatusCode::RequiredFieldMissing);
    assert_eq!(codes(database.change_all(&changes, true, &author(TUESDAY))), [Some(rolled_back), Some(missing)]);
    let (index, _) = database.schema().find("Account").unwrap();
    assert_eq!(database.current().table(index).live_rows(), 0);
    assert_eq!(codes(database.change_all(&changes, false, &author(TUESDAY))), [None, Some(missing)]);
    assert_eq!(database.current().table(index).live_rows(), 1);
}

#[test]
fn a_hard_delete_leaves_nothing_in_the_bin() {
    let mut database = org();
    let (kept, binned) = (account(&mut database, MONDAY), account(&mut database, MONDAY));
    database.change(&Change::Delete { id: binned }, &author(TUESDAY)).unwrap();
    for id in [kept, binned] {
        database.change(&Change::HardDelete { id }, &author(TUESDAY)).unwrap();
        assert!(database.current().row(id).is_none());
    }
}
