//! The org's objects and fields, and who may see them.

mod change;
mod describe;
mod feature;
mod field;
mod follower;
mod formula;
mod object;
mod spec;
mod system;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use describe::MASTER_RECORD_TYPE;
pub use describe::describe_global_entry;
pub(crate) use feature::contact_field;
pub use field::{Field, FieldType, PicklistEntry, Source};
pub use formula::Formula;
pub use object::{Api, AuditFields, Capabilities, FieldIndex, Object, RecordType, Served, Visibility};
pub use spec::{CapabilitiesSpec, FieldSpec, NameKind, ObjectSpec, OwnerSpec, RecordTypeSpec, SystemFields};

use crate::ids::KeyPrefix;

/// A declaration that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    #[error("the key prefix {text:?} is not three letters or digits; write for example \"a01\"")]
    KeyPrefix { text: String },
    #[error("field {field} of {object} has no type; write for example type = \"string\"")]
    FieldWithoutType { object: String, field: String },
    #[error("{object} has two fields named {field}; remove one")]
    DuplicateField { object: String, field: String },
    #[error("object {name} is declared twice; rename or remove one")]
    DuplicateObject { name: String },
    #[error("there is no object {name}; declare it first")]
    UnknownObject { name: String },
    #[error("{object} has no field {field}")]
    UnknownField { object: String, field: String },
    #[error("{field} of {object} stays as it is: the org itself maintains it, or it is a part of another field")]
    FixedField { object: String, field: String },
}

/// What one user may see and change. What is not readable does not exist for that user.
///
/// Source: REST API guide, describe ("fields hidden by field-level security are absent").
pub trait Access: Send + Sync {
    fn reads(&self, object: &Object) -> bool;
    fn creates(&self, object: &Object) -> bool;
    fn edits(&self, object: &Object) -> bool;
    fn deletes(&self, object: &Object) -> bool;
    fn reads_field(&self, object: &Object, field: &Field) -> bool;
    fn edits_field(&self, object: &Object, field: &Field) -> bool;
}

/// Sees and changes everything; for loading data.
#[derive(Clone, Copy, Debug, Default)]
pub struct FullAccess;

impl Access for FullAccess {
    fn reads(&self, _: &Object) -> bool {
        true
    }

    fn creates(&self, _: &Object) -> bool {
        true
    }

    fn edits(&self, _: &Object) -> bool {
        true
    }

    fn deletes(&self, _: &Object) -> bool {
        true
    }

    fn reads_field(&self, _: &Object, _: &Field) -> bool {
        true
    }

    fn edits_field(&self, _: &Object, _: &Field) -> bool {
        true
    }
}

/// The position of an object in its schema.
pub type ObjectIndex = usize;

/// All objects of an org.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    objects: Vec<Arc<Object>>,
    by_name: HashMap<String, ObjectIndex>,
    by_prefix: HashMap<KeyPrefix, ObjectIndex>,
    /// No custom object before this one has a free key prefix.
    first_custom: usize,
}

impl Schema {
    #[must_use]
    pub fn objects(&self) -> &[Arc<Object>] {
        &self.objects
    }

    /// The object at `index`.
    ///
    /// # Panics
    /// When `index` is not from this schema.
    #[must_use]
    pub fn object(&self, index: ObjectIndex) -> &Arc<Object> {
        &self.objects[index]
    }

    /// Finds an object by its API name, whatever its case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(ObjectIndex, &Arc<Object>)> {
        let index = *self.by_name.get(&name.to_ascii_lowercase())?;
        Some((index, &self.objects[index]))
    }

    /// Finds the object to which ids with this prefix belong.
    #[must_use]
    pub fn find_prefix(&self, prefix: KeyPrefix) -> Option<(ObjectIndex, &Arc<Object>)> {
        let index = *self.by_prefix.get(&prefix)?;
        Some((index, &self.objects[index]))
    }

    /// Adds an object.
    ///
    /// # Errors
    /// [`SchemaError`] when the name is taken or the declaration makes no sense.
    pub fn declare(&mut self, spec: &ObjectSpec) -> Result<ObjectIndex, SchemaError> {
        let key = spec.name.to_ascii_lowercase();
        if self.by_name.contains_key(&key) {
            return Err(SchemaError::DuplicateObject { name: spec.name.clone() });
        }
        self.first_custom = self.next_custom_index();
        let object = spec.build(self.first_custom)?;
        let index = self.objects.len();
        self.by_name.insert(key, index);
        if let Some(prefix) = object.key_prefix {
            self.by_prefix.entry(prefix).or_insert(index);
        }
        self.objects.push(Arc::new(object));
        Ok(index)
    }

    /// Adds a field to an object. Existing records hold null in it.
    ///
    /// # Errors
    /// [`SchemaError`] when the object is unknown, the name is taken or the declaration makes no sense.
    pub fn declare_field(&mut self, object: &str, spec: &FieldSpec) -> Result<(), SchemaError> {
        let unknown = || SchemaError::UnknownObject { name: object.to_owned() };
        let index = self.find(object).ok_or_else(unknown)?.0;
        let target = Arc::make_mut(&mut self.objects[index]);
        if target.find(&spec.name).is_some() {
            return Err(SchemaError::DuplicateField { object: target.name.clone(), field: spec.name.clone() });
        }
        for field in spec.build(&target.name)? {
            target.add_field(field);
        }
        Ok(())
    }

    fn next_custom_index(&self) -> usize {
        let taken = |index: usize| self.by_prefix.contains_key(&KeyPrefix::custom(index));
        (self.first_custom..).find(|index| !taken(*index)).unwrap_or_default()
    }
}
