//! Read access to exactly what is mapped.

use super::{AppPackage, Component, xml::Element};

/// Rights on an object, in the order of the alphabet, and the one that is granted.
const OBJECT_RIGHTS: [(&str, bool); 4] =
    [("allowCreate", false), ("allowDelete", false), ("allowEdit", false), ("allowRead", true)];

/// Without a license: it can then be assigned to a user of any license, the integration license included.
pub(super) fn component(package: &AppPackage) -> Component {
    let access = &package.access;
    let root = Element::new("PermissionSet")
        .text("description", format!("Read-only access for {}: what it imports, and nothing else", package.label));
    let root = access.fields.iter().map(|field| field_permission(field)).fold(root, Element::child);
    let root = root.flag("hasActivationRequired", false).text("label", format!("{} Read", package.label));
    let root = access.objects.iter().map(|object| object_permission(&object.object)).fold(root, Element::child);
    let api = Element::new("userPermissions").flag("enabled", true).text("name", "ApiEnabled");
    Component {
        folder: "permissionsets",
        suffix: ".permissionset",
        name: package.permission_set(),
        root: root.child(api),
    }
}

fn field_permission(field: &str) -> Element {
    Element::new("fieldPermissions").flag("editable", false).text("field", field).flag("readable", true)
}

fn object_permission(object: &str) -> Element {
    let rights = Element::new("objectPermissions");
    let rights = OBJECT_RIGHTS.iter().fold(rights, |rights, (name, granted)| rights.flag(name, *granted));
    rights
        .flag("modifyAllRecords", false)
        .text("object", object)
        .flag("viewAllFields", false)
        .flag("viewAllRecords", false)
}
