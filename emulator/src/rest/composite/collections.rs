//! Collections: up to 200 records in one call, each with a result of its own.
//!
//! Source: REST API guide v66, "sObject Collections". Codes and texts of refusals of a whole request are inferred.

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::database::{Change, Record, RowError, Saved, StatusCode as RowCode, rolled_back};
use crate::ids::RecordId;
use crate::org::Org;
use crate::rest::allow;
use crate::rest::body::{or_default, typed_body};
use crate::rest::caller::Caller;
use crate::rest::records::updates_only;
use crate::rest::tokens::{self, Place};
use crate::schema::Object;

const MAX_RECORDS: usize = 200;
/// Runs of records of one object. Source: SOAP API guide v66, "Create Records for Different Object Types".
const MAX_CHUNKS: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Collection {
    #[serde(default, deserialize_with = "or_default")]
    all_or_none: bool,
    records: Vec<Record>,
}

impl Org {
    /// `POST|PATCH|DELETE /composite/sobjects`.
    pub(super) fn collection(&self, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        allow(call, &[Method::POST, Method::PATCH, Method::DELETE])?;
        if call.method == Method::DELETE {
            return self.delete_collection(call, caller);
        }
        let collection = read(call)?;
        let objects: Vec<Option<&str>> = collection.records.iter().map(object_of).collect();
        check_chunks(&objects)?;
        let snapshot = self.snapshot();
        for (record, object) in collection.records.iter().zip(&objects) {
            if let Some((_, object)) = object.and_then(|name| snapshot.schema().find(name)) {
                tokens::check(call, object, record, Place::Within)?;
            }
        }
        // A write copies what a view of the data still holds.
        drop(snapshot);
        let records = collection.records.iter().zip(&objects);
        let changes = records.map(|(record, object)| {
            let object = object.ok_or_else(untyped)?;
            Ok(match call.method {
                Method::POST => Change::Insert { object, record },
                _ => Change::Update { object, record },
            })
        });
        let changes: Vec<_> = changes.collect();
        let results = self.carry_out(caller, &changes, collection.all_or_none);
        Ok(row_results(&results, &[]))
    }

    /// `PATCH /composite/sobjects/{object}/{externalIdField}`, from v46.0 on.
    pub(super) fn upsert_collection(
        &self,
        call: &Call,
        caller: &Caller,
        name: &str,
        key: &str,
    ) -> Result<Answer, ApiError> {
        allow(call, &[Method::PATCH])?;
        let object = self.visible_object(caller, name)?;
        let usable = object.find(key).filter(|(_, field)| field.external_id || field.id_lookup || field.name == "Id");
        let (_, field) = usable.ok_or_else(|| {
            let message = format!("Provided external ID field does not exist or is not accessible: {key}");
            ApiError::new(http::StatusCode::NOT_FOUND, "NOT_FOUND", message)
        })?;
        let collection = read(call)?;
        collection.records.iter().try_for_each(|record| tokens::check(call, &object, record, Place::Within))?;
        let updates_only = updates_only(call);
        let mut seen = std::collections::HashSet::new();
        let changes = collection.records.iter().map(|record| {
            let typed = object_of(record).ok_or_else(untyped)?;
            if !typed.eq_ignore_ascii_case(&object.name) {
                let message = format!("sObject type '{typed}' is not that of the request: {}", object.name);
                return Err(RowError::new(RowCode::InvalidType, message));
            }
            if field.name != "Id" && record.keys().any(|name| name.eq_ignore_ascii_case("Id")) {
                let message = "The Id field should not be specified in the sobject data.";
                return Err(RowError::on(RowCode::InvalidField, "Id", message));
            }
            let value = record.iter().find(|(name, _)| name.eq_ignore_ascii_case(&field.name)).map(|(_, value)| value);
            match value.filter(|value| !value.is_null()).map(|value| value.to_string().to_lowercase()) {
                Some(value) if !seen.insert(value.clone()) => {
                    let message = format!("Duplicate external id specified: {}", value.trim_matches('"'));
                    Err(RowError::on(RowCode::DuplicateValue, &field.name, message))
                }
                _ if updates_only => Ok(Change::UpdateByKey { object: &object.name, key: &field.name, record }),
                _ => Ok(Change::Upsert { object: &object.name, key: &field.name, record }),
            }
        });
        let changes: Vec<_> = changes.collect();
        let inserts = self.inserts(&object, &field.name, &collection.records);
        let results = self.carry_out(caller, &changes, collection.all_or_none);
        Ok(row_results(&results, &inserts))
    }

    /// Of each record, whether an upsert inserts it.
    fn inserts(&self, object: &Object, key: &str, records: &[Record]) -> Vec<bool> {
        let snapshot = self.snapshot();
        let place = snapshot.schema().find(&object.name).map(|(index, _)| index).zip(object.find(key));
        let is_there = |record: &Record| {
            let value = record.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value);
            match (place, value) {
                (Some(_), Some(Json::String(id))) if key == "Id" => !id.is_empty(),
                (Some((index, (field, _))), Some(Json::String(text))) => {
                    !snapshot.find_by_text(index, field, text).is_empty()
                }
                (Some((index, (field, _))), Some(Json::Number(number))) => {
                    !snapshot.find_by_text(index, field, &number.to_string()).is_empty()
                }
                _ => false,
            }
        };
        records.iter().map(|record| !is_there(record)).collect()
    }

    /// `DELETE /composite/sobjects?ids=…&allOrNone=…`.
    fn delete_collection(&self, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        let ids = call.parameter("ids").unwrap_or_default();
        let ids: Vec<&str> = ids.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
        check_number(ids.len())?;
        let all_or_none = call.parameter("allOrNone").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let malformed = |text: &str| RowError::new(RowCode::MalformedId, format!("malformed id {text}"));
        let changes: Vec<_> = ids
            .iter()
            .map(|text| RecordId::parse(text).map(|id| Change::Delete { id }).map_err(|_| malformed(text)))
            .collect();
        Ok(row_results(&self.carry_out(caller, &changes, all_or_none), &[]))
    }

    /// Does what was understood; with `all_or_none`, nothing unless everything was.
    fn carry_out(
        &self,
        caller: &Caller,
        changes: &[Result<Change<'_>, RowError>],
        all_or_none: bool,
    ) -> Vec<Result<Saved, RowError>> {
        if all_or_none && changes.iter().any(Result::is_err) {
            return changes
                .iter()
                .map(|change| Err(change.as_ref().err().cloned().unwrap_or_else(rolled_back)))
                .collect();
        }
        let understood: Vec<Change<'_>> = changes.iter().filter_map(|change| change.as_ref().ok().copied()).collect();
        let results = self.write_for(caller, |database, by| database.change_all(&understood, all_or_none, by));
        let mut results = results.into_iter();
        let mut next = || results.next().unwrap_or_else(|| Err(rolled_back()));
        changes.iter().map(|change| change.as_ref().map_err(Clone::clone).and_then(|_| next())).collect()
    }
}

fn read(call: &Call) -> Result<Collection, ApiError> {
    let collection: Collection = typed_body(call)?;
    check_number(collection.records.len())?;
    Ok(collection)
}

fn check_number(number: usize) -> Result<(), ApiError> {
    match number {
        0 => Err(ApiError::bad_request("INVALID_INPUT", "At least 1 record is required.")),
        1..=MAX_RECORDS => Ok(()),
        _ => {
            let message = format!("record limit reached. cannot submit more than {MAX_RECORDS} records into this call");
            Err(ApiError::bad_request("EXCEEDED_ID_LIMIT", message))
        }
    }
}

fn check_chunks(objects: &[Option<&str>]) -> Result<(), ApiError> {
    let changes = objects.windows(2).filter(|pair| pair[0] != pair[1]).count();
    if changes < MAX_CHUNKS {
        return Ok(());
    }
    let message = format!(
        "Cannot have more than {MAX_CHUNKS} chunks in a single operation. Please rearrange the data to reduce chunking."
    );
    Err(ApiError::bad_request("LIMIT_EXCEEDED", message))
}

fn object_of(record: &Record) -> Option<&str> {
    record.get("attributes")?.get("type")?.as_str()
}

fn untyped() -> RowError {
    RowError::new(RowCode::InvalidType, "attributes.type is required to name the object of a record")
}

/// A row's result, with its keys in the guide's order. Source: samples of the REST API guide: a row that failed has no id.
#[derive(Serialize)]
struct RowResult<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    success: bool,
    errors: Vec<&'a RowError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<bool>,
}

/// `inserts` is of an upsert: a row that was refused says what would have become of it, as jsforce's tests have it.
fn row_result(result: &Result<Saved, RowError>, inserts: Option<bool>) -> RowResult<'_> {
    RowResult {
        id: result.as_ref().ok().map(|saved| saved.id.to_string()),
        success: result.is_ok(),
        errors: result.as_ref().err().into_iter().collect(),
        created: inserts.map(|inserts| result.as_ref().map_or(inserts, |saved| saved.created)),
    }
}

fn row_results(results: &[Result<Saved, RowError>], inserts: &[bool]) -> Answer {
    let rows = results.iter().enumerate().map(|(nth, result)| row_result(result, inserts.get(nth).copied()));
    Answer::ok(&rows.collect::<Vec<_>>())
}
