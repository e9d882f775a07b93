//! What generated rows promise.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::catalog;
use crate::database::{Author, Database};
use crate::schema::FullAccess;
use crate::table::{IdRange, Row};
use crate::value::Value;

const NOW: Timestamp = Timestamp(1_795_255_200_000);

fn org(contacts: u64, seed: u64) -> Database {
    let mut database = Database::new(catalog::standard(), seed);
    let user = RecordId::parse("005gL0000000001").unwrap();
    let author = Author { user, at: NOW, access: &FullAccess };
    let admin = serde_json::json!({"LastName": "Admin", "Username": "a@acme.test", "Email": "a@acme.test"});
    database.insert_as("User", user, admin.as_object().unwrap(), &author).unwrap();
    database.generate("Account", contacts / 5 + 1, NOW).unwrap();
    database.generate("Contact", contacts, NOW).unwrap();
    database
}

fn rows(database: &Database, object: &str) -> Vec<HashMap<String, Value>> {
    let (index, object) = database.schema().find(object).unwrap();
    let read = |row: Row<'_>| -> HashMap<String, Value> {
        object.fields().iter().enumerate().map(|(index, field)| (field.name.clone(), row.value(index))).collect()
    };
    database.current().table(index).scan(IdRange::ALL).map(read).collect()
}

#[test]
fn the_same_seed_gives_the_same_rows_and_another_seed_others() {
    let (one, again, other) = (org(300, 1), org(300, 1), org(300, 2));
    assert_eq!(rows(&one, "Contact"), rows(&again, "Contact"));
    assert_ne!(rows(&one, "Contact"), rows(&other, "Contact"));
}

#[test]
fn references_point_to_live_rows() {
    let database = org(2_000, 3);
    for contact in rows(&database, "Contact") {
        assert!(matches!(contact["OwnerId"], Value::Id(_)));
        if let Value::Id(account) = contact["AccountId"] {
            assert!(!database.current().row(account).unwrap().is_deleted());
        }
    }
}

#[test]
fn emails_are_unique() {
    let contacts = rows(&org(5_000, 4), "Contact");
    let emails: Vec<String> =
        contacts.iter().map(|row| format!("{:?}", row["Email"])).filter(|e| e != "Null").collect();
    let distinct: HashSet<&String> = emails.iter().collect();
    assert_eq!(distinct.len(), emails.len());
    assert!(emails.len() > 4_000);
}

#[test]
fn stamps_are_in_order_before_now_and_many_share_one_second() {
    let contacts = rows(&org(20_000, 5), "Contact");
    let mut by_stamp: HashMap<Timestamp, usize> = HashMap::new();
    for row in &contacts {
        let (Value::DateTime(created), Value::DateTime(modified), Value::DateTime(stamp)) =
            (&row["CreatedDate"], &row["LastModifiedDate"], &row["SystemModstamp"])
        else {
            panic!("audit fields are never null")
        };
        assert!(created <= modified && modified <= stamp && *stamp < NOW);
        assert_eq!(stamp.whole_seconds(), *stamp);
        *by_stamp.entry(*stamp).or_default() += 1;
    }
    assert!(by_stamp.values().max().unwrap() >= &900);
}

#[test]
fn the_texts_numbers_and_dates_that_break_readers_all_occur() {
    let contacts = rows(&org(20_000, 6), "Contact");
    let texts: HashSet<String> = contacts
        .iter()
        .flat_map(|row| row.values())
        .filter_map(|value| if let Value::Text(text) = value { Some(text.to_string()) } else { None })
        .collect();
    let has = |test: &dyn Fn(&str) -> bool| texts.iter().any(|text| test(text));
    for exact in ["N/A", "null", "#N/A"] {
        assert!(texts.contains(exact), "{exact}");
    }
    assert!(has(&|text| text.contains('"')) && has(&|text| text.contains(',')));
    assert!(has(&|text| text.contains("\r\n")) && has(&|text| text.replace("\r\n", "").contains('\n')));
    assert!(has(&|text| text.starts_with(' ')) && has(&|text| text.ends_with(' ')));
    assert!(has(&|text| text.contains('🦄')) && has(&|text| text.contains("佐藤")) && has(&|text| text.contains('ش')));
    assert!(has(&|text| text.len() > 31_000));
    assert!(!has(&|text| text.is_empty() || text.contains('\0')));
    let is = |field: &str, value: Value| contacts.iter().any(|row| row[field] == value);
    assert!(is("Birthdate", Value::Date(Date::MIN)) && is("Birthdate", Value::Date(Date::MAX)));
    assert!(is("Lifetime_Value__c", Value::Decimal(Decimal::new(999_999_999_999_999_999, 2))));
    assert!(is("Score__c", Value::Decimal(Decimal::new(9_007_199_254_740_993, 4))));
    let multiline = contacts.iter().filter(|row| !row["Description"].is_null()).count();
    assert!((10_000..14_000).contains(&multiline), "{multiline}");
}

#[test]
fn every_object_of_the_catalogue_can_be_generated_within_its_fields_limits() {
    let mut database = org(100, 8);
    for object in ["Opportunity", "Case", "Invoice__c", "Attachment", "AccountHistory"] {
        database.generate(object, 2_000, NOW).unwrap();
        let declared = database.schema().find(object).unwrap().1.clone();
        for row in rows(&database, object) {
            for (name, value) in row {
                let field = declared.find(&name).unwrap().1;
                if let (Value::Text(text), true) = (&value, field.length > 0) {
                    assert!(text.chars().count() <= field.length as usize, "{object}.{name}: {text}");
                }
                assert!(!value.is_null() || field.nillable || field.name == "Name", "{object}.{name} is null");
            }
        }
    }
}
