//! Changes to an org's objects and fields while it runs, and to who sees them.

use super::{Control, ControlError};
use crate::org::audit::Change;
use crate::schema::{FieldSpec, ObjectSpec, SchemaError};

impl Control {
    /// Adds an object.
    ///
    /// # Errors
    /// When its name is taken or the declaration makes no sense.
    pub fn declare_object(&self, spec: &ObjectSpec) -> Result<(), ControlError> {
        self.write(|database, _| database.declare(spec))?;
        self.org.note_schema_change();
        self.org
            .note_changes(vec![Change::of_fields("createdCustObj", format!("Created custom object: {}", spec.name))]);
        Ok(())
    }

    /// Adds a field to an object. Records that exist hold null in it, or false; new ones its default.
    ///
    /// # Errors
    /// When the object is unknown, the name taken or the declaration makes no sense.
    pub fn declare_field(&self, object: &str, spec: &FieldSpec) -> Result<(), ControlError> {
        self.write(|database, _| database.declare_field(object, spec))?;
        self.org.note_schema_change();
        self.org.note_changes(vec![Change::of_fields(
            "createdCF",
            format!("Created custom field: {} (Object: {object})", spec.name),
        )]);
        Ok(())
    }

    /// Removes a field from an object, with all that records hold in it.
    ///
    /// # Errors
    /// When there is no such field, or the org itself maintains it.
    pub fn remove_field(&self, object: &str, field: &str) -> Result<(), ControlError> {
        self.write(|database, _| database.remove_field(object, field))?;
        self.org.note_schema_change();
        self.org.note_changes(vec![Change::of_fields(
            "deletedCF",
            format!("Deleted custom field: {field} (Object: {object})"),
        )]);
        Ok(())
    }

    /// Gives a field another type or other limits. Values that do not fit are lost, and no stamp moves.
    ///
    /// # Errors
    /// When there is no such field, the org itself maintains it, or the declaration makes no sense.
    pub fn retype_field(&self, object: &str, spec: &FieldSpec) -> Result<(), ControlError> {
        self.write(|database, _| database.retype_field(object, spec))?;
        self.org.note_schema_change();
        self.org.note_changes(vec![Change::of_fields(
            "changedCFType",
            format!("Changed type of custom field: {} (Object: {object})", spec.name),
        )]);
        Ok(())
    }

    /// Gives a field another API name. Values stay, and no stamp moves.
    ///
    /// # Errors
    /// When there is no such field, the org itself maintains it, or the name is taken.
    pub fn rename_field(&self, object: &str, from: &str, to: &str) -> Result<(), ControlError> {
        self.write(|database, _| database.rename_field(object, from, to))?;
        self.org.note_schema_change();
        self.org.note_changes(vec![Change::of_fields(
            "changedCFName",
            format!("Changed name of custom field: {from} to {to} (Object: {object})"),
        )]);
        Ok(())
    }

    /// Hides a field from every user, as field-level security does; it takes effect like any change of permissions.
    ///
    /// # Errors
    /// When there is no such field.
    pub fn hide_field(&self, object: &str, field: &str) -> Result<(), ControlError> {
        self.withhold(object, Some(field), true)
    }

    /// Shows a field again to those who may see it by their permissions.
    ///
    /// # Errors
    /// When there is no such field.
    pub fn show_field(&self, object: &str, field: &str) -> Result<(), ControlError> {
        self.withhold(object, Some(field), false)
    }

    /// Hides an object from every user, as a permission or a feature that is taken away does.
    ///
    /// # Errors
    /// When there is no such object.
    pub fn hide_object(&self, object: &str) -> Result<(), ControlError> {
        self.withhold(object, None, true)
    }

    /// Shows an object again to those who may see it by their permissions.
    ///
    /// # Errors
    /// When there is no such object.
    pub fn show_object(&self, object: &str) -> Result<(), ControlError> {
        self.withhold(object, None, false)
    }

    fn withhold(&self, object: &str, field: Option<&str>, hidden: bool) -> Result<(), ControlError> {
        let snapshot = self.snapshot();
        let unknown = || SchemaError::UnknownObject { name: object.to_owned() };
        let (_, declared) = snapshot.schema().find(object).ok_or_else(unknown)?;
        let name = match field {
            None => declared.name.clone(),
            Some(field) => {
                let unknown = || SchemaError::UnknownField { object: object.to_owned(), field: field.to_owned() };
                let (_, field) = declared.find(field).ok_or_else(unknown)?;
                format!("{}.{}", declared.name, field.name)
            }
        };
        Ok(self.change_setup(|setup| {
            if hidden {
                setup.withheld.insert(name);
            } else {
                setup.withheld.remove(&name);
            }
        })?)
    }
}
