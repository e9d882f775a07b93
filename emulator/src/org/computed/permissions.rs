//! ObjectPermissions, FieldPermissions and OauthToken.
//!
//! Source: object reference v66, under these names. Rows are there for what is granted. Who may read or modify all data has
//! a row for every object whose permissions can be granted; rows all have the stamp of the last change of permissions or of
//! the schema (simplified).

use super::{Rows, Scene, maybe, no_id, number_of, text};
use crate::ids::RecordId;
use crate::scenario::{Permissions, Right};
use crate::schema::{Field, Object, Visibility};
use crate::table::Table;
use crate::value::{Timestamp, Value};

/// A profile or a permission set, and the id of its row in PermissionSet.
struct Parent<'a> {
    id: RecordId,
    permissions: &'a Permissions,
    /// Whether it is a profile's own.
    of_profile: bool,
}

impl Scene<'_> {
    fn parents(&self) -> Vec<Parent<'_>> {
        let named = |name: &str, of_profile| self.org.system.permission_set_id(name, of_profile);
        let profiles = self.setup.profiles.iter().map(|(name, permissions)| (named(name, true), permissions, true));
        let sets =
            self.setup.permission_sets.iter().map(|(name, permissions)| (named(name, false), permissions, false));
        let parents = profiles.chain(sets);
        parents.filter_map(|(id, permissions, of_profile)| Some(Parent { id: id?, permissions, of_profile })).collect()
    }

    pub(super) fn object_permissions(&self, stored: &Table) -> Table {
        let columns = [
            "Id",
            "ParentId",
            "SobjectType",
            "PermissionsRead",
            "PermissionsCreate",
            "PermissionsEdit",
            "PermissionsDelete",
            "PermissionsViewAllRecords",
            "PermissionsModifyAllRecords",
            "CreatedDate",
            "CreatedById",
            "LastModifiedDate",
            "LastModifiedById",
            "SystemModstamp",
        ];
        let mut rows = Rows::beside(stored, &columns);
        let (stamp, user) = (Value::DateTime(self.stamp), Value::Id(self.org.user_id("")));
        let created = Value::DateTime(Timestamp::from(self.org.started).whole_seconds());
        for parent in self.parents() {
            for object in self.schema.objects().iter().filter(|object| parent.grants(object)) {
                let has = |right| Value::Bool(parent.may(right, object));
                let number = number_of(&format!("{}{}", parent.id, object.name));
                let id = object_id(&rows, number);
                let all = &parent.permissions;
                let values = [
                    Value::Id(id),
                    Value::Id(parent.id),
                    text(object.name.as_str()),
                    has(Right::Read),
                    has(Right::Create),
                    has(Right::Edit),
                    has(Right::Delete),
                    Value::Bool(all.view_all_data || all.modify_all_data),
                    Value::Bool(all.modify_all_data),
                    created.clone(),
                    user.clone(),
                    stamp.clone(),
                    user.clone(),
                    stamp.clone(),
                ];
                rows.add(number, values);
            }
        }
        rows.table
    }

    pub(super) fn field_permissions(&self, stored: &Table) -> Table {
        let columns =
            ["Id", "ParentId", "SobjectType", "Field", "PermissionsRead", "PermissionsEdit", "SystemModstamp"];
        let mut rows = Rows::beside(stored, &columns);
        for parent in self.parents() {
            for object in self.schema.objects().iter().filter(|object| parent.grants(object)) {
                let edits = parent.may(Right::Edit, object);
                for field in object.fields().iter().filter(|field| parent.shows(object, field, self)) {
                    let name = format!("{}.{}", object.name, field.name);
                    let number = number_of(&format!("{}{name}", parent.id));
                    let values = [
                        Value::Id(object_id(&rows, number)),
                        Value::Id(parent.id),
                        text(object.name.as_str()),
                        text(name),
                        Value::Bool(true),
                        Value::Bool(edits && field.updateable),
                        Value::DateTime(self.stamp),
                    ];
                    rows.add(number, values);
                }
            }
        }
        rows.table
    }

    /// The refresh tokens of the user; those of all users for who may change the org.
    pub(super) fn tokens(&self, stored: &Table) -> Table {
        let columns =
            ["Id", "UserId", "AppName", "CreatedDate", "LastUsedDate", "UseCount", "DeleteToken", "RequestToken"];
        let mut rows = Rows::beside(stored, &columns);
        let sees_all = self.access.may_everywhere(Right::Edit);
        for (place, token) in (1..).zip(self.org.approvals.tokens()) {
            let user = self.org.user_id(&token.username);
            if !sees_all && user != self.user {
                continue;
            }
            let app = self.setup.app(&token.consumer_key).map(|app| app.name.as_str());
            let date = |time| Value::DateTime(Timestamp::from(time).whole_seconds());
            let values = [
                no_id(),
                Value::Id(user),
                maybe(app),
                date(token.issued),
                date(token.last_used),
                Value::Int(token.uses),
                text(token.delete_token.as_str()),
                Value::Null,
            ];
            rows.add(place, values);
        }
        rows.table
    }
}

fn object_id(rows: &Rows<'_>, number: u64) -> RecordId {
    RecordId::new(rows.table.prefix(), number)
}

impl Parent<'_> {
    /// Whether it has any right on an object whose rights can be granted.
    fn grants(&self, object: &Object) -> bool {
        let is_grantable = object.visibility == Visibility::Granted && object.can.createable;
        let everywhere = self.permissions.view_all_data || self.permissions.modify_all_data;
        self.named(object).is_some_and(|rights| !rights.is_empty()) || everywhere && is_grantable
    }

    fn named(&self, object: &Object) -> Option<&std::collections::BTreeSet<Right>> {
        let mut all = self.permissions.objects.iter();
        all.find(|(name, _)| name.eq_ignore_ascii_case(&object.name)).map(|(_, rights)| rights)
    }

    fn may(&self, right: Right, object: &Object) -> bool {
        let all = self.permissions.modify_all_data || self.permissions.view_all_data && right == Right::Read;
        all || self.named(object).is_some_and(|rights| rights.contains(&right))
    }

    /// Whether it grants a field: a profile what it does not hide, a permission set what it shows.
    fn shows(&self, object: &Object, field: &Field, scene: &Scene<'_>) -> bool {
        let name = format!("{}.{}", object.name, field.name);
        let any = |patterns: &[crate::pattern::Pattern]| patterns.iter().any(|pattern| pattern.matches(&name));
        let is_hidden = any(&self.permissions.hidden_fields) || !self.of_profile;
        let is_withheld = scene.setup.withheld.contains(&name) || scene.setup.withheld.contains(&object.name);
        field.is_permissionable() && !is_withheld && (!is_hidden || any(&self.permissions.shown_fields))
    }
}
