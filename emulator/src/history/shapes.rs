//! Steps that change objects, and who sees their fields.

use super::{Deed, Walk};
use crate::control::ControlError;
use crate::schema::{Field, FieldSpec, FieldType, Object};

/// Types that a field is added with, or gets.
const KINDS: [FieldType; 6] = [
    FieldType::String,
    FieldType::Double,
    FieldType::Boolean,
    FieldType::Date,
    FieldType::DateTime,
    FieldType::Currency,
];

impl Walk<'_> {
    pub(super) fn add_field(&mut self) -> Result<Option<Deed>, ControlError> {
        let Some((_, object)) = self.object(|object| object.can.createable) else { return Ok(None) };
        self.history.added += 1;
        let spec = self.some_type(&format!("Wander_{}__c", self.history.added));
        self.control.declare_field(&object.name, &spec)?;
        Ok(Some(Deed::AddField { object: object.name, field: spec.name }))
    }

    pub(super) fn remove_field(&mut self) -> Result<Option<Deed>, ControlError> {
        let Some((object, field)) = self.changeable() else { return Ok(None) };
        self.control.remove_field(&object, &field)?;
        Ok(Some(Deed::RemoveField { object, field }))
    }

    pub(super) fn rename_field(&mut self) -> Result<Option<Deed>, ControlError> {
        let Some((object, from)) = self.changeable() else { return Ok(None) };
        self.history.added += 1;
        let to = format!("Wander_{}__c", self.history.added);
        self.control.rename_field(&object, &from, &to)?;
        Ok(Some(Deed::RenameField { object, from, to }))
    }

    pub(super) fn retype_field(&mut self) -> Result<Option<Deed>, ControlError> {
        let Some((object, field)) = self.changeable() else { return Ok(None) };
        let spec = self.some_type(&field);
        self.control.retype_field(&object, &spec)?;
        Ok(Some(Deed::RetypeField { object, field }))
    }

    pub(super) fn hide_field(&mut self) -> Result<Option<Deed>, ControlError> {
        let Some((_, object)) = self.object(|_| true) else { return Ok(None) };
        let open = object.fields().iter().filter(|field| field.is_permissionable());
        let names: Vec<String> = open.map(|field| field.name.clone()).collect();
        let Some(field) = self.history.random.pick(&names).cloned() else { return Ok(None) };
        self.control.hide_field(&object.name, &field)?;
        self.history.hidden.push((object.name.clone(), field.clone()));
        Ok(Some(Deed::HideField { object: object.name, field }))
    }

    /// Shows a field that the history has hidden; it may have been taken away or renamed since.
    pub(super) fn show_field(&mut self) -> Result<Option<Deed>, ControlError> {
        if self.history.hidden.is_empty() {
            return Ok(None);
        }
        let at = usize::try_from(self.history.random.below(self.history.hidden.len() as u64)).unwrap_or_default();
        let (object, field) = self.history.hidden.remove(at);
        self.control.show_field(&object, &field)?;
        Ok(Some(Deed::ShowField { object, field }))
    }

    fn some_type(&mut self, name: &str) -> FieldSpec {
        let kind = self.history.random.pick(&KINDS).copied().unwrap_or(FieldType::String);
        FieldSpec::of(name, kind)
    }

    /// A custom field that nothing else depends on: object and field.
    fn changeable(&mut self) -> Option<(String, String)> {
        let (_, object) = self.object(|_| true)?;
        let names: Vec<String> =
            object.fields().iter().filter(|field| is_free(&object, field)).map(|field| field.name.clone()).collect();
        Some((object.name.clone(), self.history.random.pick(&names)?.clone()))
    }
}

fn is_free(object: &Object, field: &Field) -> bool {
    let controls = object.fields().iter().any(|other| other.controller.as_deref() == Some(&field.name));
    let is_key = field.unique || field.external_id || field.is_required() || field.kind == FieldType::Reference;
    let is_part = field.compound.is_some() || field.kind.is_compound();
    field.custom && !is_key && !is_part && !controls && !field.is_calculated() && field.controller.is_none()
}
