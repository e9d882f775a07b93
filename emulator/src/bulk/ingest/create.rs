//! `POST /jobs/ingest`: a job, or a job and its content at once.

use std::sync::Arc;

use http::header;
use serde::Deserialize;
use serde_json::Value;

use super::job::{Job, Order};
use crate::answer::{Answer, ApiError};
use crate::bulk::dialect::{ColumnDelimiter, ContentType, Format, LineEnd};
use crate::bulk::fate::Fate;
use crate::bulk::file::{Stored, lost_results};
use crate::bulk::load::{Operation, Target};
use crate::call::Call;
use crate::faults::Effect;
use crate::multipart;
use crate::org::Org;
use crate::rest::{Caller, json_body};
use crate::scenario::UserAccess;
use crate::schema::{Access, Field, FieldType, Object};
use crate::value::TextOrder;

/// Characters of the content of a multipart request (Bulk API 2.0 guide v66, "Create a Job").
const MAX_CONTENT: usize = 100_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    operation: Operation,
    object: String,
    #[serde(default)]
    external_id_field_name: Option<String>,
    #[serde(default)]
    assignment_rule_id: Option<String>,
    #[serde(default)]
    content_type: ContentType,
    #[serde(default)]
    column_delimiter: ColumnDelimiter,
    #[serde(default)]
    line_ending: LineEnd,
}

/// Why a job is not created. Bulk 1.0 words it with its own code.
pub(in crate::bulk) struct Refused {
    pub(in crate::bulk) code: &'static str,
    pub(in crate::bulk) message: String,
}

impl From<Refused> for ApiError {
    /// REST's codes are those of Bulk 1.0 in capitals.
    fn from(refused: Refused) -> Self {
        Self::bad_request(refused.code.to_uppercase(), refused.message)
    }
}

impl Org {
    pub(in crate::bulk) fn create_ingest_job(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        effect: Option<&Effect>,
    ) -> Result<Answer, ApiError> {
        let (wanted, content) = read(call)?;
        let wanted: Wanted =
            serde_json::from_value(wanted).map_err(|error| ApiError::bad_request("INVALIDJOB", error.to_string()))?;
        let ContentType::Csv = wanted.content_type;
        let key = wanted.external_id_field_name;
        let target = self.bulk_target(caller, &wanted.object, wanted.operation, key)?;
        let order = Order {
            target,
            format: Format { delimiter: wanted.column_delimiter, line_ending: wanted.line_ending },
            assignment_rule: wanted.assignment_rule_id,
            version: caller.version,
            fate: Fate::of(effect, self.now()),
        };
        let content = content.map(|content| self.store_content(&content)).transpose()?;
        let job = Arc::new(Job::new(self.jobs.next_job_id(), self.now(), order));
        self.jobs.ingest.add(Arc::clone(&job));
        if let Some(content) = content {
            job.receive(content, self.now());
            job.close(self.now());
        }
        let answer = Answer::ok(&job.summary(caller.version));
        self.start_ingest_job(job);
        Ok(answer)
    }

    fn store_content(&self, content: &str) -> Result<Arc<Stored>, ApiError> {
        if content.chars().count() > MAX_CONTENT {
            let message = format!("The content of a multipart request has at most {MAX_CONTENT} characters");
            return Err(ApiError::bad_request("CLIENTINPUTERROR", message));
        }
        self.jobs.disk().store(content.as_bytes()).map_err(lost_results)
    }

    /// Where the rows of a job go, once it is clear that they may. The texts are from field reports, those of
    /// `InvalidEntity` and `FeatureNotEnabled` too; that both Bulk APIs have them is inferred.
    pub(in crate::bulk) fn bulk_target(
        &self,
        caller: &Caller,
        object: &str,
        operation: Operation,
        key: Option<String>,
    ) -> Result<Target, Refused> {
        let refuse = |code, message| Err(Refused { code, message });
        let snapshot = self.snapshot();
        let known = snapshot.schema().find(object).filter(|(_, object)| caller.access.reads(object));
        let Some((_, object)) = known else {
            return refuse("InvalidJob", format!("Unable to find object: {object}"));
        };
        if !object.can.bulk || self.refuse_object(&object.name).is_err() {
            return refuse("InvalidEntity", format!("Entity '{}' is not supported by the Bulk API.", object.name));
        }
        if operation == Operation::HardDelete && !caller.access.bulk_hard_delete {
            let message = "hardDelete operation requires special user profile permission, please contact your system \
                           administrator";
            return refuse("FeatureNotEnabled", message.to_owned());
        }
        let key = key.filter(|key| !key.is_empty());
        let key_order = match operation {
            Operation::Upsert => key_order(object, key.as_deref(), &caller.access)?,
            _ => TextOrder::IgnoreCase,
        };
        let (object, user, access) = (object.name.clone(), caller.user_id, caller.access.clone());
        Ok(Target { object, operation, key, key_order, user, access })
    }
}

/// How the values of the field that an upsert goes by are told apart.
fn key_order(object: &Object, key: Option<&str>, access: &UserAccess) -> Result<TextOrder, Refused> {
    let refuse = |message| Refused { code: "InvalidJob", message };
    let name = key.ok_or_else(|| {
        refuse(format!("External ID was blank for {}. An External ID must be specified for upsert.", object.name))
    })?;
    let visible = object.find(name).map(|(_, field)| field).filter(|field| access.reads_field(object, field));
    let fits = |field: &&Field| field.external_id || field.id_lookup || field.kind == FieldType::Id;
    let field = visible.filter(fits).ok_or_else(|| {
        refuse(format!(
            "Field name provided, {name} does not match an External ID, Salesforce Id, or indexed field for {}",
            object.name
        ))
    })?;
    Ok(if field.case_sensitive { TextOrder::CaseSensitive } else { TextOrder::IgnoreCase })
}

/// The job that a request describes, and its content when that is there too.
fn read(call: &Call) -> Result<(Value, Option<String>), ApiError> {
    if !call.has_media_type("multipart/form-data") {
        return Ok((json_body(call)?, None));
    }
    let content_type = call.header(header::CONTENT_TYPE).unwrap_or_default();
    let mut parts = multipart::fields(content_type, &call.body);
    let mut take = |wanted: &str| {
        let index = parts.iter().position(|(name, _)| name == wanted)?;
        Some(parts.swap_remove(index).1)
    };
    let missing = |part: &str| ApiError::bad_request("INVALIDJOB", format!("The request has no part named {part}"));
    let job = take("job").ok_or_else(|| missing("job"))?;
    let content = take("content").ok_or_else(|| missing("content"))?;
    let job =
        serde_json::from_str(&job).map_err(|error| ApiError::bad_request("JSON_PARSER_ERROR", error.to_string()))?;
    Ok((job, Some(content)))
}
