//! Custom objects that are made up: many of them, and one that is wide.

use serde::Deserialize;

use crate::schema::{FieldSpec, FieldType, ObjectSpec};

/// Key prefixes of custom objects are few: `a00` to `azz`.
pub(super) const MOST_OBJECTS: usize = 3000;
/// Salesforce Help, "Custom Fields Allowed Per Object": 800 in Unlimited Edition, and 900 with those of packages.
pub(super) const MOST_FIELDS: usize = 900;

/// Types of made-up fields, in turn.
const KINDS: [FieldType; 10] = [
    FieldType::String,
    FieldType::Double,
    FieldType::Date,
    FieldType::Boolean,
    FieldType::Currency,
    FieldType::DateTime,
    FieldType::Picklist,
    FieldType::Email,
    FieldType::TextArea,
    FieldType::Percent,
];

/// How many custom objects are made up: `Volume_1__c`, `Volume_2__c` and so on, with fields `Field_1__c` and so on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VolumeSpec {
    /// Number of objects.
    pub objects: usize,
    /// Custom fields of each.
    pub fields: usize,
    /// Custom fields of the first.
    pub widest: usize,
    /// Generated rows of each.
    pub rows: u64,
}

impl Default for VolumeSpec {
    fn default() -> Self {
        Self { objects: 0, fields: 10, widest: 10, rows: 0 }
    }
}

impl VolumeSpec {
    /// The objects.
    pub(crate) fn specs(&self) -> impl Iterator<Item = ObjectSpec> + '_ {
        (1..=self.objects).map(|number| ObjectSpec {
            name: format!("Volume_{number}__c"),
            fields: (1..=if number == 1 { self.widest } else { self.fields }).map(field).collect(),
            rows: (self.rows > 0).then_some(self.rows),
            ..ObjectSpec::default()
        })
    }
}

fn field(number: usize) -> FieldSpec {
    let kind = KINDS[number % KINDS.len()];
    let choices = ["One", "Two", "Three"].map(str::to_owned).to_vec();
    FieldSpec {
        picklist: if kind == FieldType::Picklist { choices } else { Vec::new() },
        ..FieldSpec::of(&format!("Field_{number}__c"), kind)
    }
}
