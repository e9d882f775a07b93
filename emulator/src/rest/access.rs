//! A user's rights as the data side asks for them.

use crate::scenario::{Right, UserAccess};
use crate::schema::{Access, Field, Object};

/// Objects that every user reads, as no object permission governs them. Source: SOAP API guide, standard objects;
/// which of them need "View Setup and Configuration" besides is not emulated.
const OPEN_OBJECTS: [&str; 10] = [
    "CaseStatus",
    "FieldPermissions",
    "Group",
    "ObjectPermissions",
    "Organization",
    "PermissionSet",
    "PermissionSetAssignment",
    "Profile",
    "RecordType",
    "User",
];

impl Access for UserAccess {
    fn reads(&self, object: &Object) -> bool {
        OPEN_OBJECTS.contains(&object.name.as_str()) || self.may(Right::Read, governing(object))
    }

    fn creates(&self, object: &Object) -> bool {
        self.reads(object) && self.may(Right::Create, governing(object))
    }

    fn edits(&self, object: &Object) -> bool {
        self.reads(object) && self.may(Right::Edit, governing(object))
    }

    fn deletes(&self, object: &Object) -> bool {
        self.reads(object) && self.may(Right::Delete, governing(object))
    }

    fn reads_field(&self, object: &Object, field: &Field) -> bool {
        !field.is_permissionable() || self.sees(&object.name, &field.name)
    }

    fn edits_field(&self, object: &Object, field: &Field) -> bool {
        self.reads_field(object, field)
    }
}

/// The object whose permissions decide: history rows follow the object that they are about.
fn governing(object: &Object) -> &str {
    object.name.strip_suffix("History").unwrap_or(&object.name)
}
