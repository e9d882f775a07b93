//! Sample records of public repositories, loaded and read back.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::catalog;
use crate::schema::FullAccess;
use crate::soql::{Plan, RowScope, RowWriter};

const NOW: Timestamp = Timestamp(1_795_255_200_000);

fn author() -> Author<'static> {
    Author { user: RecordId::parse("005gL0000000001").unwrap(), at: NOW, access: &FullAccess }
}

fn records(value: Json) -> Vec<Record> {
    value.as_array().unwrap().iter().map(|record| record.as_object().unwrap().clone()).collect()
}

#[test]
fn references_become_ids() {
    let mut database = Database::new(catalog::standard(), 1);
    let mut loader = TreeLoader::new(&mut database, author(), Unknown::Refuse);
    let account = json!([{"attributes": {"type": "Account", "referenceId": "A1"}, "Name": "Acme"}]);
    let contact =
        json!([{"attributes": {"type": "Contact", "referenceId": "C1"}, "LastName": "@A1", "AccountId": "@A1"}]);
    loader.load(&records(account)).unwrap();
    loader.load(&records(contact)).unwrap();
    let inserted = loader.into_inserted();
    let row = database.current().row(inserted[1].1).unwrap();
    let read = |name: &str| row.value(row.object().find(name).unwrap().0);
    assert_eq!(read("AccountId"), crate::value::Value::Id(inserted[0].1));
    assert_eq!(read("LastName"), crate::value::Value::text("@A1"));
}

#[test]
fn what_the_schema_does_not_have_is_refused_or_declared() {
    let broker = records(json!([
        {"attributes": {"type": "Broker__c", "referenceId": "B"}, "Name": "X", "Rating__c": 4.5, "Since__c": "2020-01-31",
         "Spot__Latitude__s": 1.25, "Spot__Longitude__s": -71.5, "Open__c": true}
    ]));
    let mut database = Database::new(catalog::standard(), 1);
    let refused = TreeLoader::new(&mut database, author(), Unknown::Refuse).load(&broker).unwrap_err();
    assert!(refused.to_string().contains("sObject type 'Broker__c' is not supported"), "{refused}");
    TreeLoader::new(&mut database, author(), Unknown::Declare).load(&broker).unwrap();
    let object = database.schema().find("Broker__c").unwrap().1;
    let kind = |name: &str| object.find(name).unwrap().1.kind;
    assert_eq!(kind("Rating__c"), FieldType::Double);
    assert_eq!(kind("Since__c"), FieldType::Date);
    assert_eq!(kind("Spot__c"), FieldType::Location);
    assert_eq!(kind("Open__c"), FieldType::Boolean);
}

#[test]
fn a_reference_to_nothing_is_named() {
    let mut database = Database::new(catalog::standard(), 1);
    let lost = records(
        json!([{"attributes": {"type": "Contact", "referenceId": "C"}, "LastName": "x", "AccountId": "@Gone"}]),
    );
    let error = TreeLoader::new(&mut database, author(), Unknown::Refuse).load(&lost).unwrap_err();
    assert_eq!(error.to_string(), "Contact record C refers to Gone, which no earlier record is called");
}

/// All records of a plan's files, in order.
fn plan_records(plan: &Path) -> Vec<Record> {
    let steps: Vec<PlanStep> = read(plan).unwrap();
    let files = steps.into_iter().flat_map(|step| step.files);
    files.flat_map(|file| read::<Tree>(&plan.with_file_name(file)).unwrap().records).collect()
}

/// Reads a record back through a query, as a client would.
fn read_back(database: &Database, object: &str, id: RecordId, fields: &[&String]) -> Json {
    let names: Vec<&str> = fields.iter().map(|name| name.as_str()).collect();
    let query = format!("SELECT {} FROM {object} WHERE Id = '{id}'", names.join(","));
    let plan = Arc::new(Plan::compile(&query, database.schema(), &FullAccess, RowScope::Live, NOW).unwrap());
    let results = plan.execute(database.snapshot());
    let mut writer = RowWriter::new(plan.projection().unwrap(), results.snapshot(), "v68.0");
    let mut out = Vec::new();
    writer.write_json(&results.rows(0).next().unwrap(), &mut out);
    serde_json::from_slice(&out).unwrap()
}

fn same(sent: &Json, got: &Json) -> bool {
    match (sent, got) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::String(a), _) if a.is_empty() => got.is_null(),
        (Json::String(a), Json::String(b)) => {
            a == b || Timestamp::parse(a).is_some_and(|a| Some(a) == Timestamp::parse(b))
        }
        _ => sent == got,
    }
}

#[test]
fn public_sample_records_come_out_as_they_went_in() {
    let samples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/samples");
    for plan in [
        "coral-cloud/data-plan-large.json",
        "lwc-recipes/data-plan.json",
        "ebikes/sample-data-plan.json",
        "dreamhouse/sample-data-plan.json",
    ] {
        let path = samples.join(plan);
        if !path.exists() {
            println!("skipped: no sample records at {}", samples.display());
            return;
        }
        let mut database = Database::new(catalog::standard(), 1);
        let mut loader = TreeLoader::new(&mut database, author(), Unknown::Declare);
        loader.load_plan(&path).unwrap();
        let inserted = loader.into_inserted();
        let sent = plan_records(&path);
        assert_eq!(inserted.len(), sent.len());
        for (record, (object, id)) in sent.iter().zip(&inserted) {
            let fields: Vec<&String> = record.keys().filter(|name| *name != "attributes").collect();
            let got = read_back(&database, object, *id, &fields);
            for name in fields {
                let is_reference = record[name].as_str().is_some_and(|text| text.starts_with('@'));
                let matches = is_reference && got[name].as_str().is_some_and(|id| id.len() == 18)
                    || same(&record[name], &got[name]);
                assert!(matches, "{plan}: {object}.{name} went in as {} and came out as {}", record[name], got[name]);
            }
        }
    }
}
