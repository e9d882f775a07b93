//! Objects whose rows follow from writes to others: histories of fields and shares of owners.
//!
//! Source: object reference v66, "StandardObjectNameHistory", "CustomObject__History", "StandardObjectNameShare". Key
//! prefixes of those that the catalogue does not declare are made up: in real orgs histories share one.

use std::sync::Arc;

use super::field::FieldType;
use super::object::Object;
use super::spec::{CapabilitiesSpec, FieldSpec, NameKind, ObjectSpec, SystemFields};
use super::{Schema, SchemaError};

impl Object {
    /// The object of its history: `AccountHistory`, `OpportunityFieldHistory`, `Invoice__History`.
    #[must_use]
    pub fn history_name(&self) -> String {
        match (self.name.strip_suffix("__c"), self.name.as_str()) {
            (Some(stem), _) => format!("{stem}__History"),
            (None, "Opportunity") => "OpportunityFieldHistory".to_owned(),
            (None, name) => format!("{name}History"),
        }
    }

    /// The object of its shares: `AccountShare`, `Invoice__Share`.
    #[must_use]
    pub fn share_name(&self) -> String {
        match self.name.strip_suffix("__c") {
            Some(stem) => format!("{stem}__Share"),
            None => format!("{}Share", self.name),
        }
    }

    /// The field by which a row of a history or a share names its record.
    #[must_use]
    pub fn named_by_followers(&self) -> String {
        if self.custom { "ParentId".to_owned() } else { format!("{}Id", self.name) }
    }

    /// The field of a share that says what it allows.
    #[must_use]
    pub fn share_level(&self) -> String {
        if self.custom { "AccessLevel".to_owned() } else { format!("{}AccessLevel", self.name) }
    }
}

impl Schema {
    /// Has changes of fields written into the history of their object, which is declared when the schema lacks it.
    ///
    /// # Errors
    /// [`SchemaError`] when there is no such object or field.
    pub fn track(&mut self, object: &str, fields: &[String]) -> Result<(), SchemaError> {
        let unknown = || SchemaError::UnknownObject { name: object.to_owned() };
        let (index, declared) = self.find(object).ok_or_else(unknown)?;
        let declared = Arc::clone(declared);
        let mut tracked = Vec::with_capacity(fields.len());
        for field in fields {
            let unknown = || SchemaError::UnknownField { object: declared.name.clone(), field: field.clone() };
            tracked.push(declared.find(field).ok_or_else(unknown)?.1.name.clone());
        }
        if self.find(&declared.history_name()).is_none() {
            self.declare(&history_of(&declared, index))?;
        }
        Arc::make_mut(&mut self.objects[index]).tracked = tracked;
        Ok(())
    }

    /// Makes an object private: its owners have rows in its shares, which are declared when the schema lacks them.
    ///
    /// # Errors
    /// [`SchemaError`] when there is no such object, or it has no owner.
    pub fn make_private(&mut self, object: &str) -> Result<(), SchemaError> {
        let unknown = || SchemaError::UnknownObject { name: object.to_owned() };
        let (index, declared) = self.find(object).ok_or_else(unknown)?;
        let declared = Arc::clone(declared);
        if declared.audit().owner.is_none() {
            return Err(SchemaError::UnknownField { object: declared.name.clone(), field: "OwnerId".to_owned() });
        }
        if self.find(&declared.share_name()).is_none() {
            self.declare(&share_of(&declared, index))?;
        }
        Arc::make_mut(&mut self.objects[index]).is_private = true;
        Ok(())
    }
}

fn history_of(object: &Object, index: usize) -> ObjectSpec {
    let hidden = |name: &str| FieldSpec {
        filterable: Some(false),
        sortable: Some(false),
        ..FieldSpec::of(name, FieldType::AnyType)
    };
    let field = FieldSpec { label: Some("Changed Field".to_owned()), ..FieldSpec::of("Field", FieldType::Picklist) };
    ObjectSpec {
        name: object.history_name(),
        label: Some(format!("{} History", object.label)),
        label_plural: Some(format!("{} History", object.label)),
        key_prefix: Some(prefix('h', index)),
        system_fields: SystemFields::CreatedOnly,
        name_kind: NameKind::None,
        fields: vec![
            parent_of(object, "Histories"),
            field,
            FieldSpec::of("DataType", FieldType::Picklist),
            hidden("OldValue"),
            hidden("NewValue"),
        ],
        can: CapabilitiesSpec {
            createable: false,
            updateable: false,
            deletable: false,
            searchable: false,
            ..CapabilitiesSpec::default()
        },
        ..ObjectSpec::default()
    }
}

fn share_of(object: &Object, index: usize) -> ObjectSpec {
    let holder = FieldSpec {
        reference_to: vec!["Group".to_owned(), "User".to_owned()],
        required: true,
        ..FieldSpec::of("UserOrGroupId", FieldType::Reference)
    };
    let choice = |name: &str, values: [&str; 3]| FieldSpec {
        picklist: values.map(str::to_owned).to_vec(),
        ..FieldSpec::of(name, FieldType::Picklist)
    };
    ObjectSpec {
        name: object.share_name(),
        label: Some(format!("{} Share", object.label)),
        label_plural: Some(format!("{} Share", object.label)),
        key_prefix: Some(prefix('s', index)),
        system_fields: SystemFields::ModifiedOnly,
        name_kind: NameKind::None,
        fields: vec![
            parent_of(object, "Shares"),
            holder,
            choice(&object.share_level(), ["Read", "Edit", "All"]),
            choice("RowCause", ["Owner", "Manual", "Rule"]),
        ],
        can: CapabilitiesSpec {
            searchable: false,
            replicateable: false,
            recycle_bin: false,
            ..CapabilitiesSpec::default()
        },
        ..ObjectSpec::default()
    }
}

fn parent_of(object: &Object, children: &str) -> FieldSpec {
    FieldSpec {
        reference_to: vec![object.name.clone()],
        child_relationship: Some(children.to_owned()),
        cascade_delete: true,
        ..FieldSpec::of(&object.named_by_followers(), FieldType::Reference)
    }
}

/// `h00`, `h01`, …
fn prefix(letter: char, index: usize) -> String {
    let custom = crate::ids::KeyPrefix::custom(index).to_string();
    format!("{letter}{}", custom.get(1..).unwrap_or_default())
}
