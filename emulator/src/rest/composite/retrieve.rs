//! Many records of one object by their ids: `GET` and `POST /composite/sobjects/{object}`.
//!
//! Source: REST API guide v66, "Get Multiple Records with Fewer Round-Trips".

use http::{Method, StatusCode};
use serde::Deserialize;

use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::ids::RecordId;
use crate::org::Org;
use crate::rest::allow;
use crate::rest::body::typed_body;
use crate::rest::caller::Caller;
use crate::soql::{Projection, RowWriter};

/// By POST; the length of a URL bounds a GET to about 800.
const MAX_IDS: usize = 2000;

#[derive(Deserialize)]
struct Wanted {
    ids: Vec<String>,
    fields: Vec<String>,
}

impl Wanted {
    fn of(call: &Call) -> Result<Self, ApiError> {
        if call.method == Method::POST {
            return typed_body(call);
        }
        let list = |name: &str| {
            let missing = || ApiError::bad_request("MISSING_ARGUMENT", format!("the parameter {name} is required"));
            let text = call.parameter(name).filter(|text| !text.is_empty()).ok_or_else(missing)?;
            Ok::<_, ApiError>(text.split(',').map(|item| item.trim().to_owned()).collect())
        };
        Ok(Self { ids: list("ids")?, fields: list("fields")? })
    }
}

impl Org {
    pub(super) fn retrieve(&self, call: &Call, caller: &Caller, name: &str) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET, Method::POST])?;
        let object = self.visible_object(caller, name)?;
        let wanted = Wanted::of(call)?;
        if wanted.ids.len() > MAX_IDS {
            let message = format!("record limit reached. cannot submit more than {MAX_IDS} records into this call");
            return Err(ApiError::bad_request("EXCEEDED_ID_LIMIT", message));
        }
        let snapshot = self.snapshot();
        let (index, _) = snapshot.schema().find(&object.name).ok_or_else(ApiError::not_found)?;
        let fields: Vec<&str> = wanted.fields.iter().map(String::as_str).collect();
        let projection = Projection::of_record(snapshot.schema(), index, &caller.access, Some(&fields))?;
        let mut writer = RowWriter::new(&projection, &snapshot, &caller.version_name());
        let mut body = vec![b'['];
        for (position, text) in wanted.ids.iter().enumerate() {
            if position > 0 {
                body.push(b',');
            }
            let id = RecordId::parse(text).ok().filter(|id| object.key_prefix == Some(id.prefix()));
            match id.and_then(|id| snapshot.row(id)).filter(|row| !row.is_deleted()) {
                Some(row) => writer.write_json(&row, &mut body),
                None => body.extend_from_slice(b"null"),
            }
        }
        body.push(b']');
        Ok(Answer::json_text(StatusCode::OK, body))
    }
}
