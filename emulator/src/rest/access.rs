//! A user's rights as the data side asks for them.

use crate::scenario::{Right, UserAccess};
use crate::schema::{Access, Field, Object};

/// Objects that every user reads, as no object permission governs them. Source: SOAP API guide, standard objects;
/// which of them need "View Setup and Configuration" besides is not emulated.
const OPEN_OBJECTS: [&str; 17] = [
    "ActivityFieldHistory",
    "CaseStatus",
    "ContentDocument",
    "ContentDocumentLink",
    "ContentVersion",
    "Event",
    "FieldPermissions",
    "Group",
    "ObjectPermissions",
    "Organization",
    "PermissionSet",
    "PermissionSetAssignment",
    "Profile",
    "RecordType",
    "Task",
    "TaskStatus",
    "User",
];

impl Access for UserAccess {
    fn reads(&self, object: &Object) -> bool {
        let open = OPEN_OBJECTS.contains(&object.name.as_str());
        !self.is_withheld(&object.name) && (open || self.may(Right::Read, governing(object)))
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

/// The object whose permissions decide: rows of histories, shares, members and votes follow what they are about.
fn governing(object: &Object) -> &str {
    match object.name.as_str() {
        "CampaignMember" => "Campaign",
        "LoginHistory" => "LoginHistory",
        "Vote" => "Idea",
        name => name.strip_suffix("History").or_else(|| name.strip_suffix("Share")).unwrap_or(name),
    }
}
