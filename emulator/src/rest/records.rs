//! Single records: read, create, update, delete, and upsert by external id.
//!
//! Source: REST API guide v66, "sObject Rows" and "sObject Rows by External ID".

use std::sync::Arc;

use http::{Method, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};

use super::allow;
use super::body::body_record;
use super::caller::Caller;
use super::conditional::{Validators, Verdict};
use super::tokens::{self, Place};
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::database::{Author, Change, Database, DuplicateResult, Record, RowError, Saved, StatusCode as RowCode};
use crate::ids::RecordId;
use crate::org::Org;
use crate::payload::Payload;
use crate::schema::{Access, Field, FieldIndex, FieldType, Object, ObjectIndex};
use crate::soql::{Projection, RowWriter};
use crate::value::Cell;

/// From this version on an upsert that updates answers 200 with a body; before, 204.
const UPSERT_ANSWERS_FROM: u16 = 46;
const ID: &str = "Id";

impl Org {
    /// Writes on behalf of a caller, as the headers of the request ask for it.
    pub(crate) fn write_for<T>(&self, caller: &Caller, write: impl FnOnce(&mut Database, &Author<'_>) -> T) -> T {
        let options = &caller.options;
        self.write(|database, at| {
            let by = Author { user: caller.user_id, at, access: &caller.access };
            database.with_duplicates(options.duplicates, |database| match &options.ledger {
                None => write(database, &by),
                Some(ledger) => {
                    let (done, undo) = database.recording(|database| write(database, &by));
                    ledger.note(undo);
                    done
                }
            })
        })
    }

    /// `GET|POST /sobjects/{object}`.
    pub(super) fn object(&self, call: &Call, caller: &Caller, name: &str) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET, Method::POST])?;
        if call.method == Method::POST {
            return self.create(call, caller, name);
        }
        self.basic_information(call, caller, name)
    }

    /// `GET|PATCH|DELETE /sobjects/{object}/{id}`; `POST /sobjects/{object}/Id` creates.
    pub(super) fn record(&self, call: &Call, caller: &Caller, name: &str, id: &str) -> Result<Answer, ApiError> {
        if call.method == Method::POST && id.eq_ignore_ascii_case(ID) {
            return self.create(call, caller, name);
        }
        allow(call, &[Method::GET, Method::PATCH, Method::DELETE])?;
        let object = self.visible_object(caller, name)?;
        let id = record_id(id)?;
        if object.key_prefix != Some(id.prefix()) {
            return Err(ApiError::not_found());
        }
        self.on_record(call, caller, &object, id)
    }

    pub(super) fn on_record(
        &self,
        call: &Call,
        caller: &Caller,
        object: &Arc<Object>,
        id: RecordId,
    ) -> Result<Answer, ApiError> {
        if self.snapshot().row(id).is_none() {
            return Err(if call.method == Method::DELETE { nothing_to_delete() } else { ApiError::not_found() });
        }
        let validators = self.validators(object, id);
        if let Some(refusal) = refused_by(validators.as_ref(), call)? {
            return Ok(refusal);
        }
        match call.method {
            Method::PATCH => {
                let mut record = body_record(call)?;
                tokens::check(call, object, &record, Place::Whole)?;
                refuse_field(&record, ID)?;
                record.insert(ID.to_owned(), json!(id.to_string()));
                let change = Change::Update { object: &object.name, record: &record };
                self.change(caller, &change)?;
                Ok(Answer::empty(StatusCode::NO_CONTENT))
            }
            Method::DELETE => {
                self.change(caller, &Change::Delete { id })?;
                Ok(Answer::empty(StatusCode::NO_CONTENT))
            }
            _ => {
                let answer = self.read(call, caller, object, id)?;
                self.note_use(caller, id);
                Ok(shown(validators.as_ref(), answer))
            }
        }
    }

    /// The state of a record that is there, for conditions. No view of the data is held: a write would have to copy it.
    fn validators(&self, object: &Object, id: RecordId) -> Option<Validators> {
        let snapshot = self.snapshot();
        let live = snapshot.row(id).filter(|row| !row.is_deleted())?;
        Some(Validators::of(object, &live))
    }

    /// Does one thing to one record.
    fn change(&self, caller: &Caller, change: &Change<'_>) -> Result<Saved, ApiError> {
        let saved = self.write_for(caller, |database, by| database.change(change, by));
        let saved = saved.map_err(|error| refusal(caller, error))?;
        if !matches!(change, Change::Delete { .. }) {
            self.note_use(caller, saved.id);
        }
        Ok(saved)
    }

    fn read(&self, call: &Call, caller: &Caller, object: &Arc<Object>, id: RecordId) -> Result<Answer, ApiError> {
        let snapshot = self.snapshot();
        let row = snapshot.row(id).ok_or_else(ApiError::not_found)?;
        if row.is_deleted() {
            let error = ApiError::new(StatusCode::NOT_FOUND, "ENTITY_IS_DELETED", "entity is deleted");
            return Err(error.with_fields(Vec::new()));
        }
        let named = call.parameter("fields");
        let fields: Option<Vec<&str>> = named.as_ref().map(|fields| fields.split(',').map(str::trim).collect());
        let (index, _) = snapshot.schema().find(&object.name).ok_or_else(ApiError::not_found)?;
        let projection = Projection::of_record(snapshot.schema(), index, &caller.access, fields.as_deref())?;
        let mut body = Vec::new();
        RowWriter::new(&projection, &snapshot, &caller.version_name()).write_json(&row, &mut body);
        Ok(Answer::json_text(StatusCode::OK, body))
    }

    fn create(&self, call: &Call, caller: &Caller, name: &str) -> Result<Answer, ApiError> {
        let object = self.visible_object(caller, name)?;
        let record = body_record(call)?;
        tokens::check(call, &object, &record, Place::Whole)?;
        let saved = self.change(caller, &Change::Insert { object: &object.name, record: &record })?;
        Ok(created(caller, &object, saved.id, None))
    }

    /// `GET|PATCH|DELETE /sobjects/{object}/{field}/{value}`; with an id in the second place, the bytes of a field or a
    /// related record.
    pub(super) fn by_external_id(
        &self,
        call: &Call,
        caller: &Caller,
        [name, field, value]: [&str; 3],
    ) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET, Method::PATCH, Method::DELETE])?;
        if field.eq_ignore_ascii_case(ID) {
            return self.record(call, caller, name, value);
        }
        let object = self.visible_object(caller, name)?;
        let (object_index, field_index) = self.external_id_field(caller, &object, field)?;
        let found = self.snapshot().find_by_text(object_index, field_index, value);
        match found.as_slice() {
            [] if call.method != Method::PATCH || updates_only(call) => Err(ApiError::not_found()),
            [] | [_] if call.method == Method::PATCH => {
                let validators = found.first().and_then(|id| self.validators(&object, *id));
                if let Some(refusal) = refused_by(validators.as_ref(), call)? {
                    return Ok(refusal);
                }
                self.upsert(call, caller, &object, [object.field(field_index).name.as_str(), value])
            }
            [id] => self.on_record(call, caller, &object, *id),
            several => Ok(choices(caller, &object, several)),
        }
    }

    fn upsert(
        &self,
        call: &Call,
        caller: &Caller,
        object: &Object,
        [key, value]: [&str; 2],
    ) -> Result<Answer, ApiError> {
        let mut record = body_record(call)?;
        tokens::check(call, object, &record, Place::Whole)?;
        refuse_field(&record, key)?;
        refuse_field(&record, ID)?;
        record.insert(key.to_owned(), json!(value));
        let saved = self.change(caller, &Change::Upsert { object: &object.name, key, record: &record })?;
        Ok(match saved.created {
            true => created(caller, object, saved.id, Some(true)),
            false if caller.version >= UPSERT_ANSWERS_FROM => written(StatusCode::OK, &saved.id, Some(false)),
            false => Answer::empty(StatusCode::NO_CONTENT),
        })
    }

    fn external_id_field(
        &self,
        caller: &Caller,
        object: &Object,
        name: &str,
    ) -> Result<(ObjectIndex, FieldIndex), ApiError> {
        let missing = || {
            let message = format!("Provided external ID field does not exist or is not accessible: {name}");
            ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
        };
        let (index, field) = object.find(name).ok_or_else(missing)?;
        let usable = (field.external_id || field.id_lookup) && caller.access.reads_field(object, field);
        let snapshot = self.snapshot();
        let (object, _) = snapshot.schema().find(&object.name).ok_or_else(missing)?;
        if usable { Ok((object, index)) } else { Err(missing()) }
    }

    /// `GET /sobjects/Attachment/{id}/Body`: the bytes of a base64 field.
    pub(super) fn field_bytes(
        &self,
        call: &Call,
        caller: &Caller,
        object: &Object,
        (id, index): (RecordId, FieldIndex),
    ) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        let field = object.field(index);
        let snapshot = self.snapshot();
        let row = snapshot.row(id).filter(|row| !row.is_deleted()).ok_or_else(ApiError::not_found)?;
        match row.cell(index, &mut String::new()) {
            Cell::Bytes(bytes) if caller.access.reads_field(object, field) => {
                let body = Payload::bytes(bytes.to_vec());
                Ok(Answer::typed(StatusCode::OK, "application/octet-stream", body))
            }
            _ => Err(ApiError::not_found()),
        }
    }
}

impl From<RowError> for ApiError {
    fn from(error: RowError) -> Self {
        let status = StatusCode::from_u16(error.status_code.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
        let names_fields = !error.fields.is_empty() || error.status_code != RowCode::InvalidField;
        let refusal = Self::new(status, error.status_code.as_str(), error.message);
        if names_fields { refusal.with_fields(error.fields) } else { refusal }
    }
}

/// The answer in the place of the work when a condition of the request fails.
fn refused_by(validators: Option<&Validators>, call: &Call) -> Result<Option<Answer>, ApiError> {
    Ok(match validators.map(|known| known.judge(call)).transpose()? {
        Some(Verdict::Instead(status)) => Some(shown(validators, Answer::empty(status))),
        Some(Verdict::Go) | None => None,
    })
}

/// An answer with the state of the record that it is about.
fn shown(validators: Option<&Validators>, answer: Answer) -> Answer {
    match validators {
        Some(known) => known.on(answer),
        None => answer,
    }
}

/// How a row's refusal is answered when the row was the whole request.
/// Source: what django-salesforce expects of orgs when it deletes a record that never was or is gone for good.
fn nothing_to_delete() -> ApiError {
    let error = ApiError::new(StatusCode::NOT_FOUND, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id");
    error.with_fields(Vec::new())
}

fn refusal(caller: &Caller, error: RowError) -> ApiError {
    if let Some(found) = &error.duplicates {
        let found = duplicate_result(caller, found, &error.message);
        return ApiError::bad_request(error.status_code.as_str(), error.message).with_duplicates(found);
    }
    error.into()
}

/// The misspelt key is Salesforce's. Source: field reports of v38 to v51; that later versions keep it is inferred.
fn duplicate_result(caller: &Caller, found: &DuplicateResult, message: &str) -> Value {
    let matched = |id: &RecordId| {
        let url = format!("{}/sobjects/{}/{id}", caller.root(), found.object);
        json!({
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 100.0,
            "record": {"attributes": {"type": found.object, "url": url}, "Id": id.to_string()},
        })
    };
    let matches: Vec<Value> = found.matches.iter().map(matched).collect();
    json!({
        "allowSave": found.allow_save,
        "duplicateRule": found.rule,
        "duplicateRuleEntityType": found.object,
        "errorMessage": message,
        "matchResults": [{
            "entityType": found.object,
            "errors": [],
            "matchEngine": "ExactMatchEngine",
            "matchRecords": matches,
            "rule": found.rule,
            "size": found.matches.len(),
            "success": true,
        }],
    })
}

/// The path names the record, so the body does not. Source: REST API guide v66, "Upsert a Record"; text from field reports.
fn refuse_field(record: &Record, name: &str) -> Result<(), ApiError> {
    if !record.keys().any(|key| key.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    let message = format!("The {name} field should not be specified in the sobject data.");
    Err(ApiError::bad_request("INVALID_FIELD", message).with_fields(vec![name.to_owned()]))
}

/// `?updateOnly=true`: an upsert that creates nothing.
pub(super) fn updates_only(call: &Call) -> bool {
    call.parameter("updateOnly").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

pub(super) fn record_id(text: &str) -> Result<RecordId, ApiError> {
    RecordId::parse(text).map_err(|error| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            format!("Provided external ID field does not exist or is not accessible: {}", error.text),
        )
    })
}

/// Whether a field holds a file.
pub(super) fn is_file(field: &Field) -> bool {
    field.kind == FieldType::Base64
}

fn created(caller: &Caller, object: &Object, id: RecordId, flag: Option<bool>) -> Answer {
    let location = format!("{}/sobjects/{}/{id}", caller.root(), object.name);
    written(StatusCode::CREATED, &id, flag).with(header::LOCATION, &location)
}

/// What was written, with its keys in the guide's order; `created` for an upsert.
#[derive(Serialize)]
struct Written {
    id: String,
    success: bool,
    errors: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<bool>,
}

fn written(status: StatusCode, id: &RecordId, created: Option<bool>) -> Answer {
    Answer::json(status, &Written { id: id.to_string(), success: true, errors: [], created })
}

/// 300: several records have the external id.
fn choices(caller: &Caller, object: &Object, ids: &[RecordId]) -> Answer {
    let root = caller.root();
    let urls: Vec<String> = ids.iter().map(|id| format!("{root}/sobjects/{}/{id}", object.name)).collect();
    Answer::json(StatusCode::MULTIPLE_CHOICES, &urls).with(header::VARY, "Accept")
}
