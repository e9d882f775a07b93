//! A permission set is deployed.

use super::component::{Fields, SourceFile};
use super::problem::Position;
use super::target::{Target, missing};
use crate::pattern::Pattern;
use crate::scenario::{Permissions, Right};
use crate::schema::{Field, FieldType};

/// Names that look right and are not: a label, or the API name that one would expect.
const NO_PERMISSIONS: [&str; 5] = ["ApiOnlyUser", "ApiOnly", "ApiAccess", "ViewSetupAndConfiguration", "ReadOnly"];

pub(super) fn deploy(file: &SourceFile, target: &mut Target<'_>) {
    let mut permissions = Permissions::default();
    for fields in file.root.each("userPermissions") {
        apply_user_permission(file, fields, &mut permissions, target);
    }
    for fields in file.root.each("objectPermissions") {
        apply_object(file, fields, &mut permissions, target);
    }
    for fields in file.root.each("fieldPermissions") {
        apply_field(file, fields, &mut permissions, target);
    }
    let key = target.permission_set(&file.name).unwrap_or_else(|| file.name.clone());
    target.setup.permission_sets.insert(key, permissions);
}

fn apply_user_permission(file: &SourceFile, fields: &Fields, permissions: &mut Permissions, target: &mut Target<'_>) {
    let (Some(name), Some(enabled)) = (fields.text("name"), fields.flag("enabled")) else { return };
    let well_formed = name.bytes().all(|byte| byte.is_ascii_alphanumeric()) && name.starts_with(char::is_uppercase);
    if !well_formed || NO_PERMISSIONS.contains(&name) {
        target.problems.add(&file.path, fields.at_element("name"), format!("Unknown user permission: {name}"));
        return;
    }
    match name {
        "ApiEnabled" => permissions.api_enabled = enabled,
        "ApiUserOnly" => permissions.api_only = enabled,
        "ViewSetup" => permissions.view_setup = enabled,
        "ViewAllData" => permissions.view_all_data = enabled,
        "ModifyAllData" => permissions.modify_all_data = enabled,
        "ApproveUninstalledConnectedApps" => permissions.approve_uninstalled_apps = enabled,
        "UseAnyApiClient" => permissions.use_any_api_client = enabled,
        "BulkApiHardDelete" => permissions.bulk_hard_delete = enabled,
        _ => (),
    }
}

fn apply_object(file: &SourceFile, fields: &Fields, permissions: &mut Permissions, target: &mut Target<'_>) {
    let Some(object) = fields.text("object") else { return };
    check_dependencies(file, fields, object, target);
    let Some((_, known)) = target.schema.find(object) else {
        unknown(file, fields.at_element("object"), ("object", "CustomObject", object), target);
        return;
    };
    let name = known.name.clone();
    let rights = [
        ("allowRead", Right::Read),
        ("allowCreate", Right::Create),
        ("allowEdit", Right::Edit),
        ("allowDelete", Right::Delete),
    ];
    let granted = rights.into_iter().filter(|(element, _)| fields.flag(element) == Some(true)).map(|(_, right)| right);
    permissions.objects.entry(name.clone()).or_default().extend(granted);
    if fields.flag("viewAllFields") == Some(true) {
        permissions.shown_fields.push(Pattern::new(format!("{name}.*")));
    }
}

/// Rights on an object, each with its name in messages and the rights that it needs.
const RIGHTS: [(&str, &str, &[&str]); 6] = [
    ("allowRead", "Read", &[]),
    ("allowCreate", "Create", &["allowRead"]),
    ("allowEdit", "Edit", &["allowRead"]),
    ("allowDelete", "Delete", &["allowRead", "allowEdit"]),
    ("viewAllRecords", "View All", &["allowRead"]),
    ("modifyAllRecords", "Modify All", &["allowRead", "allowEdit", "allowDelete", "viewAllRecords"]),
];

fn check_dependencies(file: &SourceFile, fields: &Fields, object: &str, target: &mut Target<'_>) {
    let has = |element: &str| RIGHTS.iter().any(|(own, ..)| *own == element && fields.flag(own) == Some(true));
    for (element, right, needs) in RIGHTS.iter().filter(|(element, ..)| has(element)) {
        let lacking = RIGHTS.iter().filter(|(own, ..)| needs.contains(own) && !has(own));
        let lacking: Vec<String> = lacking.map(|(_, spoken, _)| format!("{spoken} {object}")).collect();
        if !lacking.is_empty() {
            let message = format!("Permission {right} {object} depends on permission(s): {}", lacking.join(", "));
            target.problems.add(&file.path, fields.at_element(element), message);
        }
    }
}

fn apply_field(file: &SourceFile, fields: &Fields, permissions: &mut Permissions, target: &mut Target<'_>) {
    let Some(full_name) = fields.text("field") else { return };
    let at = fields.at_element("field");
    let Some((object, name)) = full_name.split_once('.') else {
        target.problems.add(&file.path, at, missing("field", "CustomField", full_name));
        return;
    };
    let known = target.schema.find(object).and_then(|(_, object)| object.find(name).map(|(_, field)| (object, field)));
    let Some((object, field)) = known else {
        unknown(file, at, ("field", "CustomField", full_name), target);
        return;
    };
    let pattern = Pattern::new(format!("{}.{}", object.name, field.name));
    if !has_field_level_security(field) {
        target.problems.add(&file.path, at, format!("You cannot deploy to a required field: {full_name}"));
    } else if fields.flag("readable") == Some(true) || fields.flag("editable") == Some(true) {
        permissions.shown_fields.push(pattern);
    }
}

/// Not on system fields, names, required fields and master-detail relations. An address is listed whole, though nobody
/// writes it whole (permission sets that people publish list `Account.BillingAddress`).
fn has_field_level_security(field: &Field) -> bool {
    if field.kind.is_compound() {
        return true;
    }
    let system = field.kind == FieldType::Id || !field.custom && !field.createable && !field.is_calculated();
    let required = !field.nillable && field.kind != FieldType::Boolean;
    !system && !required && !field.name_field && field.relationship_order.is_none()
}

/// The emulated org has the usual standard objects and fields, not all; only custom names are known to be wrong.
fn unknown(file: &SourceFile, at: Option<Position>, (element, of, name): (&str, &str, &str), target: &mut Target<'_>) {
    if name.ends_with("__c") || name.split('.').any(|part| part.ends_with("__c")) {
        target.problems.add(&file.path, at, missing(element, of, name));
    }
}
