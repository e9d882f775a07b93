//! Single records: read, create, update, delete, and upsert by external id.

use std::sync::Arc;

use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::allow;
use super::caller::Caller;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::database::{Author, Record, RowError, StatusCode as RowCode};
use crate::ids::RecordId;
use crate::org::Org;
use crate::payload::Payload;
use crate::schema::{Access, FieldIndex, Object, ObjectIndex};
use crate::soql::{Projection, RowWriter};
use crate::value::{Cell, Timestamp};

/// From this version on an upsert that updates answers 200 with a body; before, 204.
const UPSERT_ANSWERS_FROM: u16 = 46;

impl Org {
    /// `GET|POST /sobjects/{object}`.
    pub(super) fn object(&self, call: &Call, caller: &Caller, name: &str) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET, Method::POST])?;
        if call.method == Method::POST {
            return self.create(call, caller, name);
        }
        self.basic_information(call, caller, name)
    }

    /// `GET|PATCH|DELETE /sobjects/{object}/{id}`.
    pub(super) fn record(&self, call: &Call, caller: &Caller, name: &str, id: &str) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET, Method::PATCH, Method::DELETE])?;
        let object = self.visible_object(caller, name)?;
        let id = record_id(id)?;
        if object.key_prefix != Some(id.prefix()) {
            return Err(ApiError::not_found());
        }
        self.on_record(call, caller, &object, id)
    }

    fn on_record(&self, call: &Call, caller: &Caller, object: &Arc<Object>, id: RecordId) -> Result<Answer, ApiError> {
        match call.method {
            Method::PATCH => {
                let record = body_record(call)?;
                self.write(|database, at| database.update(id, &record, &author(caller, at)))?;
                Ok(Answer::empty(StatusCode::NO_CONTENT))
            }
            Method::DELETE => {
                self.write(|database, at| database.delete(id, &author(caller, at)))?;
                Ok(Answer::empty(StatusCode::NO_CONTENT))
            }
            _ => self.read(call, caller, object, id),
        }
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
        let id = self.write(|database, at| database.insert(&object.name, &record, &author(caller, at)))?;
        Ok(created(&id, None))
    }

    /// `GET|PATCH|DELETE /sobjects/{object}/{field}/{value}`; with an id in the second place, the bytes of a field.
    pub(super) fn by_external_id(
        &self,
        call: &Call,
        caller: &Caller,
        [name, field, value]: [&str; 3],
    ) -> Result<Answer, ApiError> {
        let object = self.visible_object(caller, name)?;
        if let Some(id) = RecordId::parse(field).ok().filter(|id| object.key_prefix == Some(id.prefix())) {
            return self.field_bytes(call, caller, &object, id, value);
        }
        allow(call, &[Method::GET, Method::PATCH, Method::DELETE])?;
        let (object_index, field_index) = self.external_id_field(caller, &object, field)?;
        let found = self.snapshot().find_by_text(object_index, field_index, value);
        match found.as_slice() {
            [] if call.method == Method::PATCH => {
                let mut record = body_record(call)?;
                record.insert(object.field(field_index).name.clone(), json!(value));
                let id = self.write(|database, at| database.insert(&object.name, &record, &author(caller, at)))?;
                Ok(created(&id, Some(true)))
            }
            [] => Err(ApiError::not_found()),
            [id] => {
                let answer = self.on_record(call, caller, &object, *id)?;
                let speaks = call.method == Method::PATCH && caller.version >= UPSERT_ANSWERS_FROM;
                Ok(if speaks { written(StatusCode::OK, id, Some(false)) } else { answer })
            }
            several => Ok(choices(caller, &object, several)),
        }
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
    fn field_bytes(
        &self,
        call: &Call,
        caller: &Caller,
        object: &Object,
        id: RecordId,
        name: &str,
    ) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        let (index, field) = object.find(name).ok_or_else(ApiError::not_found)?;
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

fn author(caller: &Caller, at: Timestamp) -> Author<'_> {
    Author { user: caller.user_id, at, access: &caller.access }
}

impl From<RowError> for ApiError {
    fn from(error: RowError) -> Self {
        let status = StatusCode::from_u16(error.status_code.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
        let names_fields = !error.fields.is_empty() || error.status_code != RowCode::InvalidField;
        let refusal = Self::new(status, error.status_code.as_str(), error.message);
        if names_fields { refusal.with_fields(error.fields) } else { refusal }
    }
}

fn record_id(text: &str) -> Result<RecordId, ApiError> {
    RecordId::parse(text).map_err(|error| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            format!("Provided external ID field does not exist or is not accessible: {}", error.text),
        )
    })
}

/// The fields of a record in a request body.
pub(super) fn body_record(call: &Call) -> Result<Record, ApiError> {
    match super::json_body(call)? {
        Value::Object(record) => Ok(record),
        _ => Err(ApiError::bad_request("JSON_PARSER_ERROR", "The HTTP entity body is not a JSON object")),
    }
}

fn created(id: &RecordId, flag: Option<bool>) -> Answer {
    written(StatusCode::CREATED, id, flag)
}

/// `{"id","success","errors"}`, and `created` for an upsert.
fn written(status: StatusCode, id: &RecordId, created: Option<bool>) -> Answer {
    let mut body = json!({"id": id.to_string(), "success": true, "errors": []});
    if let Some(created) = created {
        body["created"] = json!(created);
    }
    Answer::json(status, &body)
}

/// 300: several records have the external id.
fn choices(caller: &Caller, object: &Object, ids: &[RecordId]) -> Answer {
    let root = caller.root();
    let urls: Vec<String> = ids.iter().map(|id| format!("{root}/sobjects/{}/{id}", object.name)).collect();
    Answer::json(StatusCode::MULTIPLE_CHOICES, &urls).with(header::VARY, "Accept")
}
