//! Mappings, from what a person writes to the rows they make.

mod conversions;
mod documented;
mod keys;
mod problems;
mod properties;

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use serde_json::{Map, Value as Json, json};

use super::{CompiledMapping, Currencies, Mapped, Mapping, MappingProblem, record};
use crate::{batch::ReadField, catalogue::Catalogue, decode::JsonDecoder};

/// An org with contacts, accounts of companies and of persons, and users.
pub(super) fn org() -> Catalogue {
    let field = |name: &str, kind: &str| json!({"name": name, "type": kind, "filterable": true});
    let link = |name: &str, relationship: &str, to: &[&str]| json!({"name": name, "type": "reference", "filterable": true, "relationshipName": relationship, "referenceTo": to});
    let picklist = |name: &str, kind: &str, is_restricted: bool, values: &[(&str, &str)]| {
        let values: Vec<Json> =
            values.iter().map(|(value, label)| json!({"value": value, "label": label, "active": true})).collect();
        json!({"name": name, "type": kind, "restrictedPicklist": is_restricted, "picklistValues": values})
    };
    let amount = |name: &str| json!({"name": name, "type": "currency", "scale": 2, "filterable": true});
    let ratings = [("Hot", "Heiß"), ("Warm", "Lau"), ("Cold", "Kalt")];
    let contact = json!({"name": "Contact", "queryable": true, "replicateable": true, "fields": [
        field("Id", "id"), field("FirstName", "string"), field("LastName", "string"), field("Email", "email"),
        field("Score__c", "double"), field("Born__c", "date"), field("Seen__c", "datetime"), field("Opens__c", "time"),
        field("Active__c", "boolean"), field("Count__c", "int"),
        picklist("Rating__c", "picklist", true, &ratings), picklist("Mood__c", "picklist", false, &[("Good", "Good")]),
        picklist("Interests__c", "multipicklist", true, &[("Golf", "Golfen"), ("Tea", "Tee"), ("Sea", "Meer")]),
        amount("Amount__c"), field("CurrencyIsoCode", "picklist"), field("IsPersonAccount", "boolean"),
        json!({"name": "Ext__c", "type": "string", "unique": true, "externalId": true, "filterable": true}),
        link("AccountId", "Account", &["Account"]), link("OwnerId", "Owner", &["Group", "User"]),
        field("IsDeleted", "boolean"), field("SystemModstamp", "datetime"),
    ]});
    let account = json!({"name": "Account", "queryable": true, "replicateable": true, "fields": [
        field("Id", "id"), field("Name", "string"), field("FirstName", "string"), field("LastName", "string"),
        field("PersonEmail", "email"), field("IsPersonAccount", "boolean"), amount("AnnualRevenue"),
        field("CurrencyIsoCode", "picklist"), link("PersonContactId", "PersonContact", &["Contact"]),
        link("OwnerId", "Owner", &["User"]), field("IsDeleted", "boolean"), field("SystemModstamp", "datetime"),
    ]});
    let user = json!({"name": "User", "queryable": true, "fields": [
        field("Id", "id"), field("Name", "string"), field("FirstName", "string"), field("LastName", "string"),
        field("Email", "email"), field("SystemModstamp", "datetime"),
    ]});
    let mut org: Catalogue =
        [contact, account, user].into_iter().map(|object| serde_json::from_value(object).unwrap()).collect();
    let rates = [("USD", "1"), ("EUR", "0.8"), ("JPY", "150.5")];
    let currencies = rates.iter().fold(Currencies::default(), |known, (code, rate)| known.with(code, rate).unwrap());
    org.set_currencies(Some(currencies));
    org
}

fn parsed(toml: &str) -> Mapping {
    toml::from_str(toml).unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

fn compiled(toml: &str) -> CompiledMapping {
    match parsed(toml).compile(&org()) {
        Ok(compiled) => compiled,
        Err(problems) => panic!("{toml}\n{}", listed(&problems).join("\n")),
    }
}

/// One column of a contact.
fn column(toml: &str) -> CompiledMapping {
    compiled(&format!("object = \"Contact\"\n[[columns]]\n{toml}"))
}

fn listed(problems: &[MappingProblem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn refused(toml: &str) -> Vec<String> {
    listed(&parsed(toml).compile(&org()).expect_err(toml))
}

/// What the reader would hand over: `records` are JSON objects by paths, and what they do not name is null.
fn read(mapping: &CompiledMapping, records: &[Json]) -> RecordBatch {
    let mut decoder = JsonDecoder::new(&mapping.fields, mapping.record_id);
    let nested: Vec<Json> = records.iter().map(|record| nested(&mapping.fields, record)).collect();
    let page = json!({"totalSize": records.len(), "done": true, "records": nested});
    let mut batches = Vec::new();
    decoder.push_page(page.to_string().as_bytes(), &mut |batch| batches.push(batch)).unwrap();
    batches.extend(decoder.flush());
    match batches.pop() {
        Some(batch) => batch.records,
        None => {
            let fields = mapping.fields.iter();
            let fields = fields.map(|field| arrow_schema::Field::new(&field.path, field.kind.data_type(), true));
            RecordBatch::new_empty(std::sync::Arc::new(arrow_schema::Schema::new(fields.collect::<Vec<_>>())))
        }
    }
}

fn nested(fields: &[ReadField], record: &Json) -> Json {
    let mut whole = Map::new();
    for field in fields {
        let mut object = &mut whole;
        let mut names: Vec<&str> = field.path.split('.').collect();
        let last = names.pop().unwrap();
        for name in names {
            object = object.entry(name).or_insert_with(|| json!({})).as_object_mut().unwrap();
        }
        object.insert(last.to_owned(), record.get(&field.path).cloned().unwrap_or(Json::Null));
    }
    Json::Object(whole)
}

/// Each row as JSON by column.
fn rows(batch: &RecordBatch, mapping: &CompiledMapping) -> Vec<BTreeMap<String, Json>> {
    let columns: Vec<ReadField> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| {
            let column = mapping.table.columns.iter().find(|column| &column.name == field.name()).unwrap();
            ReadField { path: column.name.clone(), kind: column.kind }
        })
        .collect();
    (0..batch.num_rows()).map(|row| serde_json::from_str(&record::json(&columns, batch, row)).unwrap()).collect()
}

fn apply(mapping: &CompiledMapping, records: &[Json]) -> Mapped {
    mapping.apply(&read(mapping, records))
}

/// One cell of the one record's row.
fn cell(mapping: &CompiledMapping, name: &str, record: &Json) -> Json {
    let mapped = apply(mapping, std::slice::from_ref(record));
    let mut rows = rows(&mapped.rows.upserts, mapping);
    assert_eq!(rows.len(), 1, "{:?}", mapped.rejected);
    rows.remove(0).remove(name).unwrap()
}
