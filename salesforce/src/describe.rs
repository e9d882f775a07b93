//! What an org says of its objects and fields.

use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};

use crate::{
    client::Client,
    composite::{MOST_PARTS, Part},
    error::{ApiError, ErrorCode, Recovery, WireError},
    http::{Answer, Request},
    query::encode,
};

/// A field's type, as describe spells it (`fieldType` of the partner WSDL, v66).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    String,
    Picklist,
    Multipicklist,
    Combobox,
    Reference,
    Base64,
    Boolean,
    Currency,
    Textarea,
    Int,
    Long,
    Double,
    Percent,
    Phone,
    Id,
    Date,
    Datetime,
    Time,
    Url,
    Email,
    Encryptedstring,
    Datacategorygroupreference,
    Location,
    Address,
    Anytype,
    Json,
    Complexvalue,
    Floatarray,
    Textarray,
    /// A type that is not in the list; kept as it was spelt.
    #[serde(untagged)]
    Other(String),
}

/// One field.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldDescribe {
    pub name: String,
    #[serde(default)]
    pub label: String,
    #[serde(rename = "type")]
    pub kind: FieldType,
    #[serde(default)]
    pub length: u32,
    #[serde(default)]
    pub precision: u32,
    #[serde(default)]
    pub scale: u32,
    #[serde(default)]
    pub digits: u32,
    #[serde(default)]
    pub custom: bool,
    #[serde(default)]
    pub nillable: bool,
    #[serde(default)]
    pub filterable: bool,
    #[serde(default)]
    pub sortable: bool,
    #[serde(default)]
    pub calculated: bool,
    #[serde(default)]
    pub createable: bool,
    #[serde(default)]
    pub updateable: bool,
    #[serde(default)]
    pub external_id: bool,
    #[serde(default)]
    pub id_lookup: bool,
    #[serde(default)]
    pub unique: bool,
    #[serde(default)]
    pub name_field: bool,
    /// Whether field-level security applies; `None` when the answer does not say.
    #[serde(default)]
    pub permissionable: Option<bool>,
    #[serde(default)]
    pub polymorphic_foreign_key: bool,
    #[serde(default)]
    pub reference_to: Vec<String>,
    #[serde(default)]
    pub relationship_name: Option<String>,
    #[serde(default)]
    pub compound_field_name: Option<String>,
    #[serde(default)]
    pub soap_type: Option<String>,
    /// What the org's admin wrote for the people who fill the field in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline_help_text: Option<String>,
    #[serde(default)]
    pub auto_number: bool,
    /// Only the values of the list are taken; an open list suggests them.
    #[serde(default)]
    pub restricted_picklist: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub picklist_values: Vec<PicklistValue>,
}

/// A value of a picklist.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PicklistValue {
    /// What records hold: the API name.
    pub value: String,
    /// What people see, in the user's language; the value when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Records may still hold one that is not.
    #[serde(default)]
    pub active: bool,
    #[serde(default)]
    pub default_value: bool,
}

impl PicklistValue {
    /// What people see.
    pub fn label(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.value)
    }
}

/// One object, whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDescribe {
    pub name: String,
    #[serde(default)]
    pub label: String,
    #[serde(default)]
    pub label_plural: String,
    #[serde(default)]
    pub key_prefix: Option<String>,
    #[serde(default)]
    pub custom: bool,
    #[serde(default)]
    pub queryable: bool,
    #[serde(default)]
    pub replicateable: bool,
    #[serde(default)]
    pub fields: Vec<FieldDescribe>,
}

impl ObjectDescribe {
    /// The field of that name, whatever its case: API names are case-insensitive.
    pub fn field(&self, name: &str) -> Option<&FieldDescribe> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The field whose relationship has that name, whatever its case: the `Account` of `Account.Name`.
    pub fn relationship(&self, name: &str) -> Option<&FieldDescribe> {
        let is_named = |known: &str| known.eq_ignore_ascii_case(name);
        self.fields.iter().find(|field| field.relationship_name.as_deref().is_some_and(is_named))
    }
}

/// One object, as the list of all objects has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectSummary {
    pub name: String,
    #[serde(default)]
    pub label: String,
    #[serde(default)]
    pub key_prefix: Option<String>,
    #[serde(default)]
    pub custom: bool,
    #[serde(default)]
    pub queryable: bool,
}

#[derive(Deserialize)]
struct Global {
    sobjects: Vec<ObjectSummary>,
}

/// A description, and the stamp to ask with whether it has changed.
#[derive(Debug, Clone)]
pub struct Described {
    pub object: ObjectDescribe,
    /// `Last-Modified`, as it was spelt.
    pub last_modified: Option<String>,
}

impl Client {
    /// Every object the user may see.
    pub async fn describe_global(&self) -> Result<Vec<ObjectSummary>, ApiError> {
        let path = self.data_path("sobjects");
        let request = Request::get("/services/data/{version}/sobjects", path, "listing objects");
        let answer: Answer = self.call(&request).await?;
        Ok(answer.json::<Global>()?.sobjects)
    }

    /// One object with the fields that the user may see.
    ///
    /// # Errors
    /// `NOT_FOUND` for an object that does not exist or that the user may not see.
    pub async fn describe(&self, object: &str) -> Result<ObjectDescribe, ApiError> {
        self.call::<Answer>(&self.describe_request(object)).await?.json()
    }

    /// Like [`Client::describe`], but `None` when nothing has changed since `last_modified` of an earlier answer.
    /// Costs a call either way (REST guide, "If-Modified-Since Header": sObject Describe honours it).
    pub async fn describe_if_changed(
        &self,
        object: &str,
        last_modified: Option<&str>,
    ) -> Result<Option<Described>, ApiError> {
        let mut request = self.describe_request(object);
        if let Some(since) = last_modified.and_then(|stamp| HeaderValue::from_str(stamp).ok()) {
            request = request.header(header::IF_MODIFIED_SINCE, since);
        }
        let answer: Answer = self.call(&request).await?;
        if answer.status == 304 {
            return Ok(None);
        }
        let stamp = answer.headers.get(header::LAST_MODIFIED).and_then(|stamp| stamp.to_str().ok());
        Ok(Some(Described { object: answer.json()?, last_modified: stamp.map(str::to_owned) }))
    }

    /// Several objects, in the order of `names`; up to 25 cost one call.
    ///
    /// A part that fails for another reason than that there is no such object is asked again alone, and so is every
    /// object of an org that refuses composites.
    ///
    /// # Errors
    /// What concerns all of them: the session, the quota, the network. What concerns one stands beside its name.
    pub async fn describe_many(&self, names: &[String]) -> Result<Vec<ManyDescribed>, ApiError> {
        let mut described = Vec::with_capacity(names.len());
        for chunk in names.chunks(MOST_PARTS) {
            match chunk {
                [only] => described.push((only.clone(), self.describe(only).await)),
                chunk => described.extend(self.describe_together(chunk).await?),
            }
        }
        Ok(described)
    }

    async fn describe_together(&self, names: &[String]) -> Result<Vec<ManyDescribed>, ApiError> {
        let parts: Vec<Part> = names
            .iter()
            .map(|name| Part { path: self.describe_path(name), doing: format!("describing {name}") })
            .collect();
        let doing = format!("describing {} objects", names.len());
        let answers = match self.read_together(&parts, &[], &doing).await {
            Ok(answers) => answers.into_iter().map(Some).collect(),
            Err(error) if concerns_the_composite(&error) => names.iter().map(|_| None).collect::<Vec<_>>(),
            Err(error) => return Err(error),
        };
        let mut described = Vec::with_capacity(names.len());
        for (name, answer) in names.iter().zip(answers) {
            let read = match answer {
                Some(Ok(body)) => serde_json::from_slice(&body).ok().map(Ok),
                Some(Err(error)) if error.code() == Some(&ErrorCode::NotFound) => Some(Err(error)),
                Some(Err(_)) | None => None,
            };
            let outcome = match read {
                Some(outcome) => outcome,
                None => self.describe(name).await,
            };
            described.push((name.clone(), outcome));
        }
        Ok(described)
    }

    fn describe_path(&self, object: &str) -> String {
        self.data_path(&format!("sobjects/{}/describe", encode(object)))
    }

    fn describe_request(&self, object: &str) -> Request {
        let route = "/services/data/{version}/sobjects/{object}/describe";
        Request::get(route, self.describe_path(object), format!("describing {object}"))
    }
}

/// An object that was asked for, and what came of it.
pub type ManyDescribed = (String, Result<ObjectDescribe, ApiError>);

/// Whether the same questions may do better one by one: the resource is refused, its answer is none or too large.
fn concerns_the_composite(error: &ApiError) -> bool {
    match error {
        ApiError::Refused(_) => !matches!(error.recovery(), Recovery::Retry { .. }),
        ApiError::Wire { cause, .. } => matches!(cause, WireError::TooLarge { .. }),
        ApiError::Protocol { .. } | ApiError::Unexpected { .. } => true,
        _ => false,
    }
}
