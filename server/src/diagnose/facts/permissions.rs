//! What the org tells of permissions: which permission sets grant an object or a field, and to whom they are assigned.
//!
//! Sources: SOAP API guide v66, ObjectPermissions, FieldPermissions, PermissionSetAssignment, FieldDefinition,
//! EntityDefinition. Whether a user may read them depends on the org; what they do not show may exist all the same.

use std::collections::BTreeSet;

use salesforce::{ApiError, Client, org::Organization};
use serde::Deserialize;

/// Whether something that the user does not see is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existence {
    /// Somebody else sees it.
    Proved,
    /// Missing and hidden look alike.
    Unknown,
}

/// Who is granted what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Labels of permission sets that grant it and that the user does not have.
    pub by_other_sets: Vec<String>,
    /// The user has a set that grants it.
    pub by_own_sets: bool,
    /// The user has a set with "View All" on it.
    pub view_all: bool,
    /// Some set or profile knows it, granting or not.
    pub is_known: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Assignment {
    permission_set_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parent {
    label: Option<String>,
    #[serde(default)]
    is_owned_by_profile: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Permission {
    parent_id: String,
    parent: Option<Parent>,
    permissions_read: bool,
    #[serde(default)]
    permissions_view_all_records: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    qualified_api_name: String,
}

/// True for what can stand between quotes without changing the query.
pub(super) fn is_api_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 100 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What the org says of itself to this user, and the permission sets of the user, the one of the profile included. One
/// call asks for both.
pub(super) async fn of_org_and_user(
    client: &Client,
    user_id: &str,
) -> Result<(Option<Organization>, Result<BTreeSet<String>, ApiError>), ApiError> {
    let user_id = if is_api_name(user_id) { user_id } else { "" };
    let soql = format!("SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = '{user_id}'");
    let (organization, assignments) = client.organization_and::<Assignment>(&soql).await?;
    let sets = assignments.map(|all| all.into_iter().map(|assignment| assignment.permission_set_id).collect());
    Ok((organization, sets))
}

/// Who is granted an object.
pub(super) async fn of_object(client: &Client, object: &str) -> Result<Vec<Permission>, ApiError> {
    let soql = format!(
        "SELECT ParentId, Parent.Label, Parent.IsOwnedByProfile, PermissionsRead, PermissionsViewAllRecords FROM \
         ObjectPermissions WHERE SobjectType = '{object}'"
    );
    client.query(&soql).await
}

/// Who is granted a field.
pub(super) async fn of_field(client: &Client, object: &str, field: &str) -> Result<Vec<Permission>, ApiError> {
    let soql = format!(
        "SELECT ParentId, Parent.Label, Parent.IsOwnedByProfile, PermissionsRead FROM FieldPermissions WHERE \
         SobjectType = '{object}' AND Field = '{object}.{field}'"
    );
    client.query(&soql).await
}

pub(super) fn grants(permissions: Vec<Permission>, own: &BTreeSet<String>) -> Grants {
    let mut grants = Grants { is_known: !permissions.is_empty(), ..Grants::default() };
    for permission in permissions.into_iter().filter(|permission| permission.permissions_read) {
        if own.contains(&permission.parent_id) {
            grants.by_own_sets = true;
            grants.view_all |= permission.permissions_view_all_records;
            continue;
        }
        let parent = permission.parent.filter(|parent| !parent.is_owned_by_profile);
        grants.by_other_sets.extend(parent.and_then(|parent| parent.label));
    }
    grants.by_other_sets.sort();
    grants.by_other_sets.dedup();
    grants
}

/// Whether the org defines an object, as far as this user is told.
pub(super) async fn is_defined(client: &Client, object: &str) -> Result<bool, ApiError> {
    let soql = format!("SELECT QualifiedApiName FROM EntityDefinition WHERE QualifiedApiName = '{object}' LIMIT 1");
    let found: Vec<Definition> = client.query(&soql).await?;
    Ok(found.iter().any(|definition| definition.qualified_api_name.eq_ignore_ascii_case(object)))
}

/// Whether the object defines a field, as far as this user is told.
pub(super) async fn defines_field(client: &Client, object: &str, field: &str) -> Result<bool, ApiError> {
    let soql = format!(
        "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = '{object}' AND \
         QualifiedApiName = '{field}' LIMIT 1"
    );
    let found: Vec<Definition> = client.query(&soql).await?;
    Ok(found.iter().any(|definition| definition.qualified_api_name.eq_ignore_ascii_case(field)))
}
