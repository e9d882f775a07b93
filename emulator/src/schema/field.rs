//! A field: its type, its limits and what may be done with it.

use serde::Deserialize;

use super::formula::Formula;

/// The field types of the API, spelled as describe spells them.
///
/// Source: `fieldType` of the partner WSDL v66.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    Id,
    Reference,
    String,
    TextArea,
    Picklist,
    MultiPicklist,
    ComboBox,
    Boolean,
    Int,
    Long,
    Double,
    Currency,
    Percent,
    Phone,
    Email,
    Url,
    Date,
    DateTime,
    Time,
    Base64,
    EncryptedString,
    DataCategoryGroupReference,
    Address,
    Location,
    #[serde(rename = "anyType")]
    AnyType,
    Json,
    ComplexValue,
    FloatArray,
    TextArray,
}

impl FieldType {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Reference => "reference",
            Self::String => "string",
            Self::TextArea => "textarea",
            Self::Picklist => "picklist",
            Self::MultiPicklist => "multipicklist",
            Self::ComboBox => "combobox",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Double => "double",
            Self::Currency => "currency",
            Self::Percent => "percent",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Url => "url",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Time => "time",
            Self::Base64 => "base64",
            Self::EncryptedString => "encryptedstring",
            Self::DataCategoryGroupReference => "datacategorygroupreference",
            Self::Address => "address",
            Self::Location => "location",
            Self::AnyType => "anyType",
            Self::Json => "json",
            Self::ComplexValue => "complexvalue",
            Self::FloatArray => "floatarray",
            Self::TextArray => "textarray",
        }
    }

    /// The XML schema type beside it. Source: captured describes; `urn:` for compound types is REST's spelling.
    #[must_use]
    pub fn soap_type(self) -> &'static str {
        match self {
            Self::Id | Self::Reference => "tns:ID",
            Self::Boolean => "xsd:boolean",
            Self::Int => "xsd:int",
            Self::Long => "xsd:long",
            Self::Double | Self::Currency | Self::Percent => "xsd:double",
            Self::Date => "xsd:date",
            Self::DateTime => "xsd:dateTime",
            Self::Time => "xsd:time",
            Self::Base64 => "xsd:base64Binary",
            Self::Address => "urn:address",
            Self::Location => "urn:location",
            Self::AnyType => "xsd:anyType",
            Self::Json => "urn:json",
            _ => "xsd:string",
        }
    }

    #[must_use]
    pub fn is_text(self) -> bool {
        use FieldType as T;
        matches!(
            self,
            T::String
                | T::TextArea
                | T::Picklist
                | T::MultiPicklist
                | T::ComboBox
                | T::Phone
                | T::Email
                | T::Url
                | T::EncryptedString
                | T::DataCategoryGroupReference
                | T::AnyType
        )
    }

    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Long | Self::Double | Self::Currency | Self::Percent)
    }

    /// Whether the value is an object made of other fields.
    #[must_use]
    pub fn is_compound(self) -> bool {
        matches!(self, Self::Address | Self::Location)
    }

    #[must_use]
    pub fn is_raw_json(self) -> bool {
        matches!(self, Self::Json | Self::ComplexValue | Self::FloatArray | Self::TextArray)
    }
}

/// Where a field's value comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The record holds it.
    Stored,
    /// `FirstName LastName`, for objects that stand for people.
    PersonName,
    /// An address or a location, made of the fields that name it as their compound.
    Compound,
    /// Counted up at insert; the text shows the number of leading zeros, for example `INV-{00000}`.
    AutoNumber(String),
    /// Computed at each read.
    Formula(Formula),
}

/// One entry of a picklist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PicklistEntry {
    pub value: String,
    pub label: String,
    pub active: bool,
    pub default: bool,
    /// Indexes of the controlling field's values for which this one is valid; `None` when nothing controls it.
    pub valid_for: Option<Vec<usize>>,
}

/// A field of an object. What describe shows and this does not hold is derived from the type.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub label: String,
    pub kind: FieldType,
    pub source: Source,
    /// In characters; 0 where it means nothing.
    pub length: u32,
    pub precision: u8,
    pub scale: u8,
    /// The most digits of an `int`.
    pub digits: u8,
    pub nillable: bool,
    pub createable: bool,
    pub updateable: bool,
    pub custom: bool,
    pub unique: bool,
    pub case_sensitive: bool,
    pub external_id: bool,
    pub id_lookup: bool,
    pub name_field: bool,
    pub defaulted_on_create: bool,
    pub default_value: Option<String>,
    pub filterable: bool,
    pub sortable: bool,
    pub groupable: bool,
    pub html: bool,
    pub picklist: Vec<PicklistEntry>,
    pub restricted_picklist: bool,
    pub controller: Option<String>,
    pub reference_to: Vec<String>,
    /// The field of the other object whose text a reference holds; an id unless there is one.
    pub target_field: Option<String>,
    pub relationship_name: Option<String>,
    /// The name under which the referenced object lists its children.
    pub child_relationship: Option<String>,
    /// `Some` makes a master-detail relation.
    pub relationship_order: Option<u8>,
    pub cascade_delete: bool,
    pub restricted_delete: bool,
    /// The compound field that this one is a part of.
    pub compound: Option<String>,
    pub extra_type_info: Option<String>,
    pub help: Option<String>,
}

impl Field {
    /// Whether a reference may point to several objects.
    #[must_use]
    pub fn is_polymorphic(&self) -> bool {
        self.reference_to.len() > 1
    }

    #[must_use]
    pub fn is_calculated(&self) -> bool {
        matches!(self.source, Source::Formula(_))
    }

    #[must_use]
    pub fn is_auto_number(&self) -> bool {
        matches!(self.source, Source::AutoNumber(_))
    }

    /// Whether field-level security applies. It does not to system fields, required fields and parts of a name; a checkbox
    /// is never null and yet not required.
    ///
    /// Source: captured describes of Account and Contact; exact rules per field are unpublished.
    #[must_use]
    pub fn is_permissionable(&self) -> bool {
        let system = self.kind == FieldType::Id || self.name_field || !self.custom && !self.createable;
        let formula_or_part = self.custom && self.is_calculated();
        let required = !self.nillable && self.kind != FieldType::Boolean;
        formula_or_part || !system && !required && self.compound.is_none()
    }

    /// Bytes that describe reports: three per character.
    #[must_use]
    pub fn byte_length(&self) -> u32 {
        match self.kind {
            FieldType::Id | FieldType::Reference => self.length,
            kind if kind.is_text() => self.length.saturating_mul(3),
            _ => 0,
        }
    }

    /// Whether an insert without it fails.
    #[must_use]
    pub fn is_required(&self) -> bool {
        !self.nillable && self.createable && !self.defaulted_on_create && self.kind != FieldType::Boolean
    }
}
