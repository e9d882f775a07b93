//! What an org says of its objects and fields.

use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};

use crate::{
    client::Client,
    error::ApiError,
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

    fn describe_request(&self, object: &str) -> Request {
        let path = self.data_path(&format!("sobjects/{}/describe", encode(object)));
        Request::get("/services/data/{version}/sobjects/{object}/describe", path, format!("describing {object}"))
    }
}
