//! Objects declared as data: by the built-in catalogue, by scenarios, and by samples that are loaded.

use serde::Deserialize;

use super::SchemaError;
use super::field::{Field, FieldType, PicklistEntry, Source};
use super::formula::Formula;
use super::object::{Capabilities, Object, RecordType, Served, Visibility};
use crate::ids::{KeyPrefix, RecordId};

/// An object as a scenario writes it. Fields that every object has are added by themselves.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectSpec {
    /// The API name; `__c` at the end makes it a custom object.
    pub name: String,
    /// Defaults to the name without `__c` and underscores.
    pub label: Option<String>,
    pub label_plural: Option<String>,
    /// Three characters; custom objects get the next free one.
    pub key_prefix: Option<String>,
    /// The fields that the org maintains.
    pub system_fields: SystemFields,
    /// Whom `OwnerId` may name; nothing leaves the field out.
    pub owner: Option<OwnerSpec>,
    /// How `Name` comes about.
    pub name_kind: NameKind,
    pub fields: Vec<FieldSpec>,
    pub record_types: Vec<RecordTypeSpec>,
    pub can: CapabilitiesSpec,
    /// The fields of which a query has to name one with `=` or `IN`; `Id` always does. None leave it free.
    pub required_filter: Vec<String>,
    /// By which APIs it can be reached.
    pub served: Served,
    /// Who sees it.
    pub visibility: Visibility,
    /// The number of rows to generate.
    pub rows: Option<u64>,
}

/// Which audit fields an object has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemFields {
    /// Id, IsDeleted, CreatedDate, CreatedById, LastModifiedDate, LastModifiedById, SystemModstamp.
    #[default]
    All,
    /// The same without IsDeleted: such rows have no recycle bin.
    WithoutRecycleBin,
    /// Id and SystemModstamp.
    StampOnly,
    /// Id, IsDeleted, CreatedDate, CreatedById, as `*History` objects have.
    CreatedOnly,
    /// Id, IsDeleted, LastModifiedDate, LastModifiedById, as `*Share` objects have.
    ModifiedOnly,
    /// Id.
    None,
}

/// Whom `OwnerId` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerSpec {
    User,
    UserOrGroup,
    /// There is no `OwnerId`: a master record or the org owns the rows.
    None,
}

/// How `Name` comes about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameKind {
    /// A text that somebody enters.
    #[default]
    Text,
    /// First name, last name and salutation.
    Person,
    /// Counted up, for example `INV-{00000}`.
    AutoNumber(String),
    /// The object has no `Name`.
    None,
}

/// What the API may do with an object; everything unless said otherwise.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CapabilitiesSpec {
    pub createable: bool,
    pub updateable: bool,
    pub deletable: bool,
    pub queryable: bool,
    pub replicateable: bool,
    pub searchable: bool,
    pub bulk: bool,
    pub recycle_bin: bool,
    pub query_more: bool,
}

impl Default for CapabilitiesSpec {
    fn default() -> Self {
        Self {
            createable: true,
            updateable: true,
            deletable: true,
            queryable: true,
            replicateable: true,
            searchable: true,
            bulk: true,
            recycle_bin: true,
            query_more: true,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordTypeSpec {
    pub developer_name: String,
    pub name: Option<String>,
}

/// A field as a scenario writes it. What is left out follows from the type.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldSpec {
    pub name: String,
    pub label: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<FieldType>,
    pub length: Option<u32>,
    pub precision: Option<u8>,
    pub scale: Option<u8>,
    /// Of an `int`.
    pub digits: Option<u8>,
    pub required: bool,
    pub unique: bool,
    pub case_sensitive: bool,
    pub external_id: bool,
    pub id_lookup: bool,
    /// A text area with HTML.
    pub rich: bool,
    pub read_only: bool,
    pub filterable: Option<bool>,
    pub sortable: Option<bool>,
    pub default: Option<String>,
    pub picklist: Vec<String>,
    pub restricted: bool,
    pub controller: Option<String>,
    pub reference_to: Vec<String>,
    /// The field of the other object that the reference names instead of its id.
    pub target_field: Option<String>,
    pub relationship_name: Option<String>,
    pub child_relationship: Option<String>,
    pub master_detail: bool,
    pub cascade_delete: bool,
    pub restricted_delete: bool,
    pub compound: Option<String>,
    pub formula: Option<Formula>,
    pub auto_number: Option<String>,
    pub help: Option<String>,
}

impl ObjectSpec {
    /// The object that this declares. `custom_index` gives the key prefix of a custom object without one.
    ///
    /// # Errors
    /// [`SchemaError`] for a key prefix of another form than three characters, or a field without sense.
    pub fn build(&self, custom_index: usize) -> Result<Object, SchemaError> {
        let key_prefix = match &self.key_prefix {
            Some(text) => Some(KeyPrefix::parse(text).map_err(|_| SchemaError::KeyPrefix { text: text.clone() })?),
            None => self.name.ends_with("__c").then(|| KeyPrefix::custom(custom_index)),
        };
        let label = self.label.clone().unwrap_or_else(|| spoken(&self.name));
        let mut object = Object::new(&self.name, &label, key_prefix, self.can.into(), super::system::fields(self));
        for spec in &self.fields {
            if object.find(&spec.name).is_some() {
                return Err(SchemaError::DuplicateField { object: self.name.clone(), field: spec.name.clone() });
            }
            for field in spec.build(&self.name)? {
                object.add_field(field);
            }
        }
        object.required_filter = self.required_filter.clone();
        (object.served, object.visibility) = (self.served, self.visibility);
        object.label_plural = self.label_plural.clone().unwrap_or_else(|| format!("{label}s"));
        let record_type = KeyPrefix::parse("012").expect("the record type prefix is valid");
        object.record_types = (self.record_types.iter().zip(1..))
            .map(|(spec, number)| RecordType {
                id: RecordId::new(record_type, custom_index as u64 * 1000 + number),
                developer_name: spec.developer_name.clone(),
                name: spec.name.clone().unwrap_or_else(|| spoken(&spec.developer_name)),
                active: true,
                is_person: false,
            })
            .collect();
        Ok(object)
    }
}

impl From<CapabilitiesSpec> for Capabilities {
    fn from(spec: CapabilitiesSpec) -> Self {
        Self {
            createable: spec.createable,
            updateable: spec.updateable,
            deletable: spec.deletable,
            queryable: spec.queryable,
            replicateable: spec.replicateable,
            searchable: spec.searchable,
            bulk: spec.bulk,
            recycle_bin: spec.recycle_bin,
            query_more: spec.query_more,
        }
    }
}

impl FieldSpec {
    /// A field of this name and type.
    #[must_use]
    pub fn of(name: &str, kind: FieldType) -> Self {
        Self { name: name.to_owned(), kind: Some(kind), ..Self::default() }
    }

    /// The field, followed by its parts when it is a compound.
    ///
    /// # Errors
    /// [`SchemaError::FieldWithoutType`] when the type is missing.
    pub fn build(&self, object: &str) -> Result<Vec<Field>, SchemaError> {
        let kind = self
            .kind
            .ok_or_else(|| SchemaError::FieldWithoutType { object: object.to_owned(), field: self.name.clone() })?;
        let mut fields = vec![self.field(kind)];
        if kind.is_compound() {
            fields.extend(super::system::components(&self.name, kind));
        }
        Ok(fields)
    }

    fn field(&self, kind: FieldType) -> Field {
        let custom = self.name.ends_with("__c") || self.name.ends_with("__s");
        let source = self.source(kind);
        let computed = !matches!(source, Source::Stored) || self.read_only;
        let long_text = self.rich || kind == FieldType::TextArea && self.length.is_some_and(|length| length > 255);
        let opaque = matches!(kind, FieldType::Base64 | FieldType::EncryptedString)
            || kind.is_compound()
            || kind.is_raw_json()
            || long_text;
        let (precision, scale) = number_size(kind, self.precision, self.scale);
        Field {
            label: self.label.clone().unwrap_or_else(|| spoken(&self.name)),
            name: self.name.clone(),
            kind,
            length: self.length.unwrap_or_else(|| default_length(kind, custom)),
            digits: if kind == FieldType::Int { self.digits.unwrap_or(9) } else { 0 },
            precision,
            scale,
            nillable: !self.required && kind != FieldType::Boolean && !self.master_detail,
            createable: !computed,
            updateable: !computed,
            custom,
            unique: self.unique,
            case_sensitive: self.case_sensitive,
            external_id: self.external_id,
            id_lookup: self.external_id || self.id_lookup,
            name_field: false,
            defaulted_on_create: kind == FieldType::Boolean || self.default.is_some(),
            default_value: self.default.clone(),
            filterable: self.filterable.unwrap_or(!opaque || kind.is_compound()),
            sortable: self.sortable.unwrap_or(!opaque && kind != FieldType::MultiPicklist),
            groupable: !opaque && is_groupable(kind),
            html: self.rich,
            picklist: self.entries(),
            restricted_picklist: self.restricted,
            controller: self.controller.clone(),
            reference_to: self.reference_to.clone(),
            target_field: self.target_field.clone(),
            relationship_name: self.relationship_name.clone().or_else(|| relationship_name(&self.name, kind)),
            child_relationship: self.child_relationship.clone(),
            relationship_order: self.master_detail.then_some(0),
            cascade_delete: self.master_detail || self.cascade_delete,
            restricted_delete: self.restricted_delete,
            compound: self.compound.clone(),
            extra_type_info: self.extra_type_info(kind, long_text),
            help: self.help.clone(),
            source,
        }
    }

    fn source(&self, kind: FieldType) -> Source {
        match (&self.formula, &self.auto_number) {
            (Some(formula), _) => Source::Formula(formula.clone()),
            (None, Some(format)) => Source::AutoNumber(format.clone()),
            (None, None) if kind.is_compound() => Source::Compound,
            (None, None) => Source::Stored,
        }
    }

    fn extra_type_info(&self, kind: FieldType, long_text: bool) -> Option<String> {
        let text = match kind {
            FieldType::TextArea if self.rich => "richtextarea",
            FieldType::TextArea if long_text || !self.name.ends_with("__c") => "plaintextarea",
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn entries(&self) -> Vec<PicklistEntry> {
        let entry = |value: &String| PicklistEntry {
            value: value.clone(),
            label: value.clone(),
            active: true,
            default: self.default.as_ref() == Some(value),
            valid_for: self.controller.as_ref().map(|_| vec![0]),
        };
        self.picklist.iter().map(entry).collect()
    }
}

/// Source: captured describes: numbers that may have a fraction are not, whole ones are.
fn is_groupable(kind: FieldType) -> bool {
    let is_fractional = kind.is_number() && kind != FieldType::Int;
    !is_fractional && kind != FieldType::DateTime && kind != FieldType::MultiPicklist
}

/// Default sizes: of custom fields as Setup makes them, of standard picklists as captured describes show them.
fn default_length(kind: FieldType, custom: bool) -> u32 {
    match kind {
        FieldType::Picklist if !custom => 40,
        FieldType::Id | FieldType::Reference => 18,
        FieldType::Phone => 40,
        FieldType::Email => 80,
        FieldType::MultiPicklist => 4099,
        FieldType::EncryptedString => 175,
        kind if kind.is_text() => 255,
        _ => 0,
    }
}

fn number_size(kind: FieldType, precision: Option<u8>, scale: Option<u8>) -> (u8, u8) {
    match kind {
        FieldType::Double | FieldType::Currency | FieldType::Percent => {
            let scale = scale.unwrap_or(if kind == FieldType::Currency { 2 } else { 0 });
            (precision.unwrap_or(18), scale)
        }
        _ => (0, 0),
    }
}

fn relationship_name(field: &str, kind: FieldType) -> Option<String> {
    if kind != FieldType::Reference {
        return None;
    }
    match field.strip_suffix("__c") {
        Some(stem) => Some(format!("{stem}__r")),
        None => field.strip_suffix("Id").map(str::to_owned),
    }
}

/// `Invoice_Line__c` → `Invoice Line`, `LastName` → `Last Name`.
fn spoken(name: &str) -> String {
    let stem = name.trim_end_matches("__c").trim_end_matches("__s");
    let mut label = String::with_capacity(stem.len() + 4);
    for (before, c) in std::iter::once('_').chain(stem.chars()).zip(stem.chars()) {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            label.push(' ');
        }
        label.push(if c == '_' { ' ' } else { c });
    }
    let label = label.split_whitespace().collect::<Vec<_>>().join(" ");
    match label.strip_suffix(" Id") {
        Some(stem) => format!("{stem} ID"),
        None => label,
    }
}
