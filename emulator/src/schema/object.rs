//! An object: named fields with a few of them known by their part.

use std::collections::HashMap;

use serde::Deserialize;

use super::field::Field;
use crate::ids::{KeyPrefix, RecordId};

/// The position of a field in its object.
pub type FieldIndex = usize;

/// A record type of an object.
#[derive(Clone, Debug)]
pub struct RecordType {
    pub id: RecordId,
    pub developer_name: String,
    pub name: String,
    pub active: bool,
    /// Whether accounts of this type are persons.
    pub is_person: bool,
}

/// What can be done with an object's records through the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    pub createable: bool,
    pub updateable: bool,
    pub deletable: bool,
    pub queryable: bool,
    pub replicateable: bool,
    pub searchable: bool,
    /// Whether Bulk API queries accept it.
    pub bulk: bool,
    /// Whether deleted rows go to the recycle bin, where the object has `IsDeleted`.
    pub recycle_bin: bool,
    /// Whether a result may go on on a second page.
    pub query_more: bool,
}

/// An API that reaches objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Api {
    /// The data API: REST, SOAP and Bulk.
    #[default]
    Data,
    /// The Tooling API.
    Tooling,
}

/// By which APIs an object can be reached (object reference; Tooling API reference).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Served {
    #[default]
    Data,
    Tooling,
    Both,
}

impl Served {
    #[must_use]
    pub fn by(self, api: Api) -> bool {
        match self {
            Self::Both => true,
            Self::Data => api == Api::Data,
            Self::Tooling => api == Api::Tooling,
        }
    }
}

/// Who sees an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Whoever has the right to read it.
    #[default]
    Granted,
    Everybody,
    /// Users with View Setup and Configuration.
    Setup,
}

/// The fields that the org itself maintains, where the object has them.
#[derive(Clone, Copy, Debug, Default)]
pub struct AuditFields {
    pub is_deleted: Option<FieldIndex>,
    pub is_archived: Option<FieldIndex>,
    pub owner: Option<FieldIndex>,
    pub created_date: Option<FieldIndex>,
    pub created_by: Option<FieldIndex>,
    pub modified_date: Option<FieldIndex>,
    pub modified_by: Option<FieldIndex>,
    pub system_modstamp: Option<FieldIndex>,
}

/// An object of the org.
#[derive(Clone, Debug)]
pub struct Object {
    pub name: String,
    pub label: String,
    pub label_plural: String,
    pub key_prefix: Option<KeyPrefix>,
    pub custom: bool,
    pub can: Capabilities,
    pub record_types: Vec<RecordType>,
    /// The fields of which a query has to name one; none leave it free.
    pub required_filter: Vec<String>,
    pub served: Served,
    pub visibility: Visibility,
    /// Fields whose changes are written into the object's history.
    pub tracked: Vec<String>,
    /// Whether owners have rows in the object's shares.
    pub is_private: bool,
    fields: Vec<Field>,
    by_name: HashMap<String, FieldIndex>,
    audit: AuditFields,
}

impl Object {
    /// An object with these fields. Of two fields with one name the later is unreachable.
    #[must_use]
    pub fn new(name: &str, label: &str, key_prefix: Option<KeyPrefix>, can: Capabilities, fields: Vec<Field>) -> Self {
        let mut object = Self {
            name: name.to_owned(),
            label: label.to_owned(),
            label_plural: format!("{label}s"),
            key_prefix,
            custom: name.ends_with("__c"),
            can,
            record_types: Vec::new(),
            required_filter: Vec::new(),
            served: Served::default(),
            visibility: Visibility::default(),
            tracked: Vec::new(),
            is_private: false,
            fields: Vec::new(),
            by_name: HashMap::new(),
            audit: AuditFields::default(),
        };
        for field in fields {
            object.add_field(field);
        }
        object
    }

    pub(super) fn add_field(&mut self, field: Field) {
        let index = self.fields.len();
        self.by_name.entry(field.name.to_ascii_lowercase()).or_insert(index);
        // A second key in the schema's own spelling: rendering looks fields up per row and must not allocate.
        self.by_name.entry(field.name.clone()).or_insert(index);
        let part = match field.name.as_str() {
            "IsDeleted" => &mut self.audit.is_deleted,
            "IsArchived" => &mut self.audit.is_archived,
            "OwnerId" => &mut self.audit.owner,
            "CreatedDate" => &mut self.audit.created_date,
            "CreatedById" => &mut self.audit.created_by,
            "LastModifiedDate" => &mut self.audit.modified_date,
            "LastModifiedById" => &mut self.audit.modified_by,
            "SystemModstamp" => &mut self.audit.system_modstamp,
            _ => return self.fields.push(field),
        };
        *part = Some(index);
        self.fields.push(field);
    }

    /// Changes the fields; `change` keeps the order of those that stay.
    pub(super) fn change_fields(&mut self, change: impl FnOnce(&mut Vec<Field>)) {
        let mut fields = std::mem::take(&mut self.fields);
        change(&mut fields);
        self.by_name.clear();
        self.audit = AuditFields::default();
        for field in fields {
            self.add_field(field);
        }
    }

    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field at `index`.
    ///
    /// # Panics
    /// When `index` is not from this object.
    #[must_use]
    pub fn field(&self, index: FieldIndex) -> &Field {
        &self.fields[index]
    }

    /// Finds a field by its API name, whatever its case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(FieldIndex, &Field)> {
        let index = match self.by_name.get(name) {
            Some(index) => *index,
            None => *self.by_name.get(&name.to_ascii_lowercase())?,
        };
        Some((index, &self.fields[index]))
    }

    /// Finds the reference whose relationship has this name: `Account` for `AccountId`, `Broker__r` for `Broker__c`.
    #[must_use]
    pub fn find_relationship(&self, name: &str) -> Option<(FieldIndex, &Field)> {
        let named = |field: &&Field| field.relationship_name.as_deref().is_some_and(|r| r.eq_ignore_ascii_case(name));
        self.fields.iter().position(|field| named(&field)).map(|index| (index, &self.fields[index]))
    }

    /// Whether deleted rows stay for a while. `CampaignMember` and its like have `IsDeleted` and lose their rows at once.
    #[must_use]
    pub fn has_recycle_bin(&self) -> bool {
        self.can.recycle_bin && self.audit.is_deleted.is_some()
    }

    /// Why a query is refused that has none of the filters that the object requires.
    ///
    /// Source: SOQL reference v66, "SOQL Object Limits and Limitations"; the text as `ContentDocumentLink` gives it, and that
    /// of objects of definitions as field reports have it.
    #[must_use]
    pub fn filter_refusal(&self) -> String {
        let (name, required) = (&self.name, &self.required_filter);
        if self.find("DurableId").is_some() {
            let columns: Vec<&str> = required.iter().map(String::as_str).filter(|name| !name.contains('.')).collect();
            return format!("{name}: a filter on a reified column is required [{}]", columns.join(","));
        }
        format!(
            "Implementation restriction: {name} requires a filter by a single Id on {} using the equals operator or \
             multiple Id's using the IN operator.",
            required.join(" or ")
        )
    }

    /// Source: SOAP API guide v66, `merge()`.
    #[must_use]
    pub fn is_mergeable(&self) -> bool {
        matches!(self.name.as_str(), "Account" | "Contact" | "Lead" | "Case")
    }

    #[must_use]
    pub fn audit(&self) -> AuditFields {
        self.audit
    }

    /// The parts of an address or a location as (key in REST JSON, field), in the order of the keys.
    #[must_use]
    pub fn components(&self, compound: &Field) -> Vec<(&'static str, FieldIndex)> {
        let is_part = |field: &Field, suffix: &str| {
            let stem = field.name.strip_suffix("__s").unwrap_or(&field.name);
            field.compound.as_deref() == Some(&compound.name) && stem.ends_with(suffix)
        };
        ADDRESS_PARTS
            .iter()
            .filter_map(|(key, suffix)| Some((*key, self.fields.iter().position(|field| is_part(field, suffix))?)))
            .collect()
    }
}

/// Keys of an address in REST JSON and the field name endings behind them.
/// Source: REST query results; the spelling of the two code keys is unverified.
const ADDRESS_PARTS: [(&str, &str); 10] = [
    ("city", "City"),
    ("country", "Country"),
    ("countryCode", "CountryCode"),
    ("geocodeAccuracy", "GeocodeAccuracy"),
    ("latitude", "Latitude"),
    ("longitude", "Longitude"),
    ("postalCode", "PostalCode"),
    ("state", "State"),
    ("stateCode", "StateCode"),
    ("street", "Street"),
];
