//! Calls that write: `create()`, `update()`, `upsert()`, `delete()`, `undelete()`, `emptyRecycleBin()`, `merge()`.
//!
//! A record that is refused has an error in its result. What is wrong with the call itself, such as an object or a field
//! that does not exist, is a fault, and nothing is written (SOAP API guide, "Error Handling"; which of the two a wrong field
//! is in partner form is taken from what clients report).

use super::Ask;
use super::element::Element;
use super::fault::Fault;
use super::sobject::{self, Given};
use super::writer::Elements;
use crate::database::{Author, Change, Database, DuplicateResult, RowError, Saved, StatusCode, rolled_back};
use crate::ids::RecordId;
use crate::org::Org;
use crate::route::SoapApi;
use crate::schema::Access;

/// Records of one call (SOAP API guide, `create()`).
const MOST_RECORDS: usize = 200;
/// Requests of one `merge()` call (SOAP API guide, `merge()`).
const MOST_MERGES: usize = 200;

/// Which result a call has for each record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Results {
    /// `SaveResult`, `DeleteResult`, `UndeleteResult`, `EmptyRecycleBinResult`: the same three elements.
    Saved,
    /// `UpsertResult`, which begins with `created`.
    Upserted,
}

impl Org {
    pub(super) fn soap_create(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let given = self.given(ask)?;
        let changes = given.iter().map(|given| Change::Insert { object: &given.object, record: &given.record });
        Ok(self.changed(ask, &changes.collect::<Vec<_>>(), Results::Saved))
    }

    pub(super) fn soap_update(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let given = self.given(ask)?;
        let changes = given.iter().map(|given| Change::Update { object: &given.object, record: &given.record });
        Ok(self.changed(ask, &changes.collect::<Vec<_>>(), Results::Saved))
    }

    pub(super) fn soap_upsert(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let key = ask.message.operation.text_of("externalIDFieldName").trim();
        let given = self.given(ask)?;
        let changes = given.iter().map(|given| Change::Upsert { object: &given.object, key, record: &given.record });
        Ok(self.changed(ask, &changes.collect::<Vec<_>>(), Results::Upserted))
    }

    pub(super) fn soap_delete(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        self.changed_by_id(ask, |id| Change::Delete { id })
    }

    pub(super) fn soap_undelete(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        self.changed_by_id(ask, |id| Change::Undelete { id })
    }

    pub(super) fn soap_empty_recycle_bin(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        let ids = ids_of(ask)?;
        let results = self.write_for(&ask.caller, |database, by| {
            let empty = |id: Result<RecordId, RowError>| id.and_then(|id| empty(database, id, by));
            ids.into_iter().map(empty).collect::<Vec<_>>()
        });
        Ok(written(&results, Results::Saved, ask.api))
    }

    pub(super) fn soap_merge(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        // The WSDL calls it `request`; orgs take it by any name: clients that work send `mergeRequests`, `mergeRequest` and
        // `merge` (jsforce's tests against an org, salesforcer).
        let requests = ask.message.operation.children.iter().filter(|element| element.child("masterRecord").is_some());
        let requests: Vec<&Element> = requests.collect();
        check_number(requests.len(), MOST_MERGES)?;
        let merges = requests.into_iter().map(|request| self.merge_given(ask, request));
        let merges = merges.collect::<Result<Vec<_>, _>>()?;
        let mut out = Elements::default();
        for merge in &merges {
            let merged = self.write_for(&ask.caller, |database, by| merge.run(database, by));
            out.within("result", |result| merge_result(merge, &merged, ask.api, result));
        }
        Ok(out.0)
    }

    fn merge_given(&self, ask: &Ask<'_>, request: &Element) -> Result<Merge, Fault> {
        let malformed = |id: &str| Fault::call("MALFORMED_ID", format!("malformed id {id}"));
        let parse = |id: &str| RecordId::parse(id).map_err(|_| malformed(id));
        let master = request.child("masterRecord").ok_or_else(|| Fault::call("MISSING_ARGUMENT", "masterRecord"))?;
        let mut master = self.given_one(ask, master)?;
        let id = master.record.remove("Id");
        let id = id.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().trim().to_owned();
        let losers = request.texts_of("recordToMergeIds");
        Ok(Merge {
            master: parse(&id)?,
            losers: losers.iter().map(|loser| parse(loser)).collect::<Result<_, _>>()?,
            fields: master.record,
        })
    }

    /// The records of a message.
    fn given(&self, ask: &Ask<'_>) -> Result<Vec<Given>, Fault> {
        let elements: Vec<&Element> = ask.message.operation.all("sObjects").collect();
        check_number(elements.len(), MOST_RECORDS)?;
        elements.into_iter().map(|element| self.given_one(ask, element)).collect()
    }

    fn given_one(&self, ask: &Ask<'_>, element: &Element) -> Result<Given, Fault> {
        let snapshot = self.snapshot();
        let mut given = sobject::read(element, ask.api, snapshot.schema())?;
        let object = self.soap_object(ask, &given.object)?;
        let access = &ask.caller.access;
        for name in given.record.keys() {
            let field = object.find(name).or_else(|| object.find_relationship(name)).map(|(_, field)| field);
            if !field.is_some_and(|field| access.reads_field(&object, field)) {
                return Err(RowError::no_such_column(name, &object.name).into());
            }
        }
        if ask.message.headers.truncates {
            sobject::truncate(&mut given, snapshot.schema());
        }
        Ok(given)
    }

    fn changed(&self, ask: &Ask<'_>, changes: &[Change<'_>], results: Results) -> String {
        let all_or_none = ask.message.headers.all_or_none;
        let done = self.write_for(&ask.caller, |database, by| database.change_all(changes, all_or_none, by));
        if let [Ok(saved)] = &done[..] {
            self.note_use(&ask.caller, saved.id);
        }
        written(&done, results, ask.api)
    }

    /// Does something to each id; those that are none have an error in their place.
    fn changed_by_id(&self, ask: &Ask<'_>, change: impl Fn(RecordId) -> Change<'static>) -> Result<String, Fault> {
        let ids = ids_of(ask)?;
        let all_or_none = ask.message.headers.all_or_none;
        if all_or_none && ids.iter().any(Result::is_err) {
            let rolled_back = |id: Result<RecordId, RowError>| Err(id.err().unwrap_or_else(rolled_back));
            let results: Vec<_> = ids.into_iter().map(rolled_back).collect();
            return Ok(written(&results, Results::Saved, ask.api));
        }
        let changes: Vec<Change<'_>> = ids.iter().flatten().map(|id| change(*id)).collect();
        let done = self.write_for(&ask.caller, |database, by| database.change_all(&changes, all_or_none, by));
        let mut done = done.into_iter();
        let results = ids.into_iter().map(|id| id.and_then(|_| done.next().unwrap_or_else(|| Err(rolled_back()))));
        Ok(written(&results.collect::<Vec<_>>(), Results::Saved, ask.api))
    }
}

/// A merge that is asked for.
struct Merge {
    master: RecordId,
    losers: Vec<RecordId>,
    fields: crate::database::Record,
}

impl Merge {
    /// Merges, and says which records refer to the master now that referred to the others before.
    fn run(&self, database: &mut Database, author: &Author<'_>) -> Result<Vec<RecordId>, RowError> {
        let heirs = database.current().referring_to(&self.losers);
        database.merge(self.master, &self.losers, &self.fields, author)?;
        let known = |id: &RecordId| *id != self.master && !self.losers.contains(id);
        Ok(heirs.into_iter().filter(known).collect())
    }
}

fn ids_of(ask: &Ask<'_>) -> Result<Vec<Result<RecordId, RowError>>, Fault> {
    let ids = ask.message.operation.texts_of("ids");
    check_number(ids.len(), MOST_RECORDS)?;
    let parse =
        |id: String| RecordId::parse(&id).map_err(|error| RowError::new(StatusCode::MalformedId, error.to_string()));
    Ok(ids.into_iter().map(parse).collect())
}

/// The text is that of field reports.
pub(super) fn check_number(number: usize, most: usize) -> Result<(), Fault> {
    if number <= most {
        return Ok(());
    }
    let message = format!("record limit reached. cannot submit more than {most} records into this call");
    Err(Fault::call("EXCEEDED_ID_LIMIT", message))
}

/// Removes a record from the recycle bin for good.
fn empty(database: &mut Database, id: RecordId, author: &Author<'_>) -> Result<Saved, RowError> {
    let is_binned = database.current().row(id).is_some_and(|row| row.is_deleted());
    if !is_binned {
        return Err(RowError::new(
            StatusCode::InvalidCrossReferenceKey,
            "invalid record id; no recycle bin entry found",
        ));
    }
    let object = database.schema().find_prefix(id.prefix()).map(|(_, object)| object.clone());
    if !object.is_some_and(|object| author.access.deletes(&object)) {
        let message = format!("insufficient access rights on object id {id}");
        return Err(RowError::new(StatusCode::InsufficientAccessOrReadonly, message));
    }
    database.purge(id, author.at).map(|()| Saved { id, created: false })
}

fn written(results: &[Result<Saved, RowError>], kind: Results, api: SoapApi) -> String {
    let mut out = Elements::default();
    for result in results {
        out.within("result", |out| {
            if kind == Results::Upserted {
                out.flag("created", result.as_ref().is_ok_and(|saved| saved.created));
            }
            if let Err(refused) = result {
                error(refused, api, out);
            }
            out.maybe("id", result.as_ref().ok().map(|saved| saved.id.to_string()).as_deref());
            out.flag("success", result.is_ok());
        });
    }
    out.0
}

fn merge_result(merge: &Merge, merged: &Result<Vec<RecordId>, RowError>, api: SoapApi, out: &mut Elements) {
    match merged {
        Err(refused) => {
            error(refused, api, out);
            out.nil("id");
            out.flag("success", false);
        }
        Ok(heirs) => {
            out.put("id", &merge.master.to_string());
            merge.losers.iter().for_each(|loser| out.put("mergedRecordIds", &loser.to_string()));
            out.flag("success", true);
            heirs.iter().for_each(|heir| out.put("updatedRelatedIds", &heir.to_string()));
        }
    }
}

/// An `Error`; one that a duplicate rule raises is a `DuplicateError`.
pub(super) fn error(refused: &RowError, api: SoapApi, out: &mut Elements) {
    match &refused.duplicates {
        None => out.open("errors"),
        Some(_) => out.open_typed("errors", "DuplicateError"),
    }
    refused.fields.iter().for_each(|field| out.put("fields", field));
    // A record that does not exist is a reference to nothing here (field reports), where REST has `NOT_FOUND`.
    let (message, code) = match refused.status_code {
        StatusCode::NotFound => ("invalid cross reference id", StatusCode::InvalidCrossReferenceKey),
        code => (refused.message.as_str(), code),
    };
    out.put("message", message);
    out.put("statusCode", code.as_str());
    if let Some(found) = &refused.duplicates {
        out.within("duplicateResult", |out| duplicate_result(found, message, api, out));
    }
    out.close("errors");
}

/// A `DuplicateResult` of the partner WSDL v66. Records have their ids alone, as without `includeRecordDetails`.
fn duplicate_result(found: &DuplicateResult, message: &str, api: SoapApi, out: &mut Elements) {
    out.flag("allowSave", found.allow_save);
    out.put("duplicateRule", &found.rule);
    out.put("duplicateRuleEntityType", &found.object);
    out.put("errorMessage", message);
    out.within("matchResults", |out| {
        out.put("entityType", &found.object);
        out.put("matchEngine", "ExactMatchEngine");
        for id in &found.matches {
            out.within("matchRecords", |out| {
                out.put("matchConfidence", "100.0");
                bare_record(&found.object, *id, api, out);
            });
        }
        out.put("rule", &found.rule);
        out.put("size", &found.matches.len().to_string());
        out.flag("success", true);
    });
}

/// A record that has an id and nothing else.
fn bare_record(object: &str, id: RecordId, api: SoapApi, out: &mut Elements) {
    match api {
        SoapApi::Enterprise => out.open_typed("record", &format!("sf:{object}")),
        SoapApi::Partner | SoapApi::Metadata | SoapApi::Apex | SoapApi::Tooling => {
            out.open_typed("record", "sf:sObject");
            out.put("sf:type", object);
        }
    }
    out.put("sf:Id", &id.to_string());
    out.close("record");
}
