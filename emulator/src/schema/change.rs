//! Changes of fields while an org runs. What they do to rows is the database's.

use std::ops::Range;
use std::sync::Arc;

use super::field::Field;
use super::object::{FieldIndex, Object};
use super::{FieldSpec, ObjectIndex, Schema, SchemaError};

impl Schema {
    /// Removes a field, with its parts when it is a compound, and says which positions that were.
    ///
    /// # Errors
    /// [`SchemaError`] when there is no such field, or it cannot be removed.
    pub fn remove_field(&mut self, object: &str, field: &str) -> Result<(ObjectIndex, Range<FieldIndex>), SchemaError> {
        let (index, position) = self.changeable(object, field)?;
        let target = Arc::make_mut(&mut self.objects[index]);
        let name = target.field(position).name.clone();
        let parts = target.fields().iter().filter(|field| field.compound.as_ref() == Some(&name)).count();
        let removed = position..position + 1 + parts;
        target.change_fields(|fields| drop(fields.drain(removed.clone())));
        Ok((index, removed))
    }

    /// Gives a field another type, or other limits. Returns its position.
    ///
    /// # Errors
    /// [`SchemaError`] when there is no such field, it cannot be changed, or the declaration makes no sense.
    pub fn retype_field(&mut self, object: &str, spec: &FieldSpec) -> Result<(ObjectIndex, FieldIndex), SchemaError> {
        let (index, position) = self.changeable(object, &spec.name)?;
        let target = Arc::make_mut(&mut self.objects[index]);
        let mut built = spec.build(&target.name)?;
        let compound = target.field(position).kind.is_compound();
        let (1, false, Some(field)) = (built.len(), compound, built.pop()) else {
            return Err(SchemaError::FixedField { object: target.name.clone(), field: spec.name.clone() });
        };
        target.change_fields(|fields| fields[position] = field);
        Ok((index, position))
    }

    /// Gives a field another API name, and a reference another relationship.
    ///
    /// # Errors
    /// [`SchemaError`] when there is no such field, it cannot be changed, or the name is taken.
    pub fn rename_field(&mut self, object: &str, from: &str, to: &str) -> Result<ObjectIndex, SchemaError> {
        let (index, position) = self.changeable(object, from)?;
        let target = Arc::make_mut(&mut self.objects[index]);
        if target.find(to).is_some_and(|(found, _)| found != position) {
            return Err(SchemaError::DuplicateField { object: target.name.clone(), field: to.to_owned() });
        }
        if target.field(position).kind.is_compound() {
            return Err(SchemaError::FixedField { object: target.name.clone(), field: from.to_owned() });
        }
        target.change_fields(|fields| {
            let field = &mut fields[position];
            to.clone_into(&mut field.name);
            let stem = to.strip_suffix("__c");
            field.relationship_name =
                field.relationship_name.take().map(|known| stem.map_or(known, |stem| format!("{stem}__r")));
        });
        Ok(index)
    }

    fn changeable(&self, object: &str, field: &str) -> Result<(ObjectIndex, FieldIndex), SchemaError> {
        let unknown = || SchemaError::UnknownObject { name: object.to_owned() };
        let (index, declared) = self.find(object).ok_or_else(unknown)?;
        let named = |name: &str| (declared.name.clone(), name.to_owned());
        let (position, found) = declared.find(field).ok_or_else(|| {
            let (object, field) = named(field);
            SchemaError::UnknownField { object, field }
        })?;
        if is_fixed(declared, position, found) {
            let (object, field) = named(&found.name);
            return Err(SchemaError::FixedField { object, field });
        }
        Ok((index, position))
    }
}

fn is_fixed(object: &Object, position: FieldIndex, field: &Field) -> bool {
    let audit = object.audit();
    let maintained = [
        audit.is_deleted,
        audit.is_archived,
        audit.owner,
        audit.created_date,
        audit.created_by,
        audit.modified_date,
        audit.modified_by,
        audit.system_modstamp,
    ];
    let is_id = field.kind == super::FieldType::Id;
    is_id || field.name_field || field.compound.is_some() || maintained.contains(&Some(position))
}
