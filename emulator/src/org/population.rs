//! The rows that a scenario implies: the organization, its users, profiles and permissions, and the generated data.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::{Org, PopulateError};
use crate::catalog;
use crate::database::{Author, Database, Record};
use crate::ids::{KeyPrefix, RecordId};
use crate::scenario::{Permissions, Right, Scenario, developer_name};
use crate::schema::FullAccess;
use crate::value::Timestamp;

/// Rows of the scenario have ids far behind those that are counted up.
const FIRST_ORDINAL: u64 = 500_000_000_000;
/// Objects whose rows others refer to; they are generated first.
const PARENTS_FIRST: [&str; 11] = [
    "User",
    "Account",
    "Contact",
    "Lead",
    "Opportunity",
    "Campaign",
    "Case",
    "Task",
    "Event",
    "Idea",
    "ContentDocument",
];

/// The id of the `index`th row that a scenario implies for an object.
pub(super) fn scenario_id(prefix: &str, index: usize) -> RecordId {
    let prefix = KeyPrefix::parse(prefix).expect("key prefixes of the catalogue are well-formed");
    RecordId::new(prefix, FIRST_ORDINAL + index as u64)
}

/// Fills a database as the scenario says.
pub(super) fn populate(
    database: &mut Database,
    scenario: &Scenario,
    org: RecordId,
    now: Timestamp,
) -> Result<(), PopulateError> {
    for spec in &scenario.objects {
        database.declare(spec)?;
    }
    for extra in &scenario.fields {
        database.declare_field(&extra.object, &extra.field)?;
    }
    if let Some(currencies) = &scenario.currencies {
        database.enable_currencies(&catalog::currency_type(), &currencies.codes(), &currencies.corporate)?;
    }
    if scenario.person_accounts.is_some() {
        database.enable_person_accounts()?;
    }
    let author = Author { user: Org::user_id_in(scenario, ""), at: now, access: &FullAccess };
    let mut rows = Rows { database, author };
    rows.organization(scenario, org)?;
    rows.profiles(scenario)?;
    rows.users(scenario)?;
    rows.permissions(scenario)?;
    rows.statuses("Case", "CaseStatus", "00Y")?;
    rows.statuses("Task", "TaskStatus", "01X")?;
    rows.record_types()?;
    rows.currencies(scenario)?;
    let named = scenario.rows.keys().map(String::as_str).filter(|name| !PARENTS_FIRST.contains(name));
    let order: Vec<&str> = PARENTS_FIRST.into_iter().chain(named).collect();
    for object in order {
        if let Some(count) = scenario.rows.get(object) {
            rows.database.generate(object, *count, now)?;
        }
    }
    for spec in &scenario.objects {
        if let Some(count) = spec.rows {
            rows.database.generate(&spec.name, count, now)?;
        }
    }
    rows.person_accounts(scenario.person_accounts.unwrap_or_default())
}

struct Rows<'a> {
    database: &'a mut Database,
    author: Author<'a>,
}

impl Rows<'_> {
    fn put(&mut self, object: &str, id: RecordId, record: serde_json::Value) -> Result<(), PopulateError> {
        let serde_json::Value::Object(record) = record else { return Ok(()) };
        let record: Record = record.into_iter().filter(|(_, value)| !value.is_null()).collect();
        self.database
            .insert_as(object, id, &record, &self.author)
            .map_err(|source| PopulateError::Row { object: object.to_owned(), source })
    }

    fn organization(&mut self, scenario: &Scenario, id: RecordId) -> Result<(), PopulateError> {
        let org = &scenario.org;
        let record =
            json!({"Name": org.name, "IsSandbox": org.kind.is_sandbox(), "OrganizationType": "Enterprise Edition"});
        self.put("Organization", id, record)
    }

    fn profiles(&mut self, scenario: &Scenario) -> Result<(), PopulateError> {
        for (index, name) in scenario.profiles.keys().enumerate() {
            self.put("Profile", scenario_id("00e", index), json!({"Name": name, "UserType": "Standard"}))?;
        }
        Ok(())
    }

    fn users(&mut self, scenario: &Scenario) -> Result<(), PopulateError> {
        for user in &scenario.users {
            let profile = scenario.profiles.keys().position(|name| *name == user.profile).unwrap_or_default();
            let alias: String = user.username.chars().take(8).collect();
            let record = json!({
                "Username": user.username,
                "Email": user.email.as_ref().unwrap_or(&user.username),
                "FirstName": user.first_name,
                "LastName": user.last_name,
                "Alias": alias,
                "IsActive": user.active,
                "ProfileId": scenario_id("00e", profile).to_string(),
                "TimeZoneSidKey": "GMT",
                "LocaleSidKey": "en_US",
                "LanguageLocaleKey": "en_US",
                "EmailEncodingKey": "UTF-8",
            });
            self.put("User", Org::user_id_in(scenario, &user.username), record)?;
        }
        Ok(())
    }

    /// The values of the field `Status` of an object, as rows of another.
    fn statuses(&mut self, of: &str, object: &str, prefix: &str) -> Result<(), PopulateError> {
        let field = self.database.schema().find(of).and_then(|(_, of)| of.find("Status"));
        let values = field.map(|(_, field)| field.picklist.clone()).unwrap_or_default();
        for (index, value) in values.iter().enumerate() {
            let closed = ["Closed", "Completed"].contains(&value.value.as_str());
            let record = json!({
                "MasterLabel": value.label,
                "ApiName": value.value,
                "SortOrder": index + 1,
                "IsDefault": value.default,
                "IsClosed": closed,
            });
            self.put(object, scenario_id(prefix, index), record)?;
        }
        Ok(())
    }

    fn record_types(&mut self) -> Result<(), PopulateError> {
        let schema = Arc::clone(self.database.schema());
        for object in schema.objects() {
            for record_type in &object.record_types {
                let mut record = json!({
                    "Name": record_type.name,
                    "DeveloperName": record_type.developer_name,
                    "SobjectType": object.name,
                    "IsActive": record_type.active,
                });
                if record_type.is_person {
                    record["IsPersonType"] = json!(true);
                }
                self.put("RecordType", record_type.id, record)?;
            }
        }
        Ok(())
    }

    fn currencies(&mut self, scenario: &Scenario) -> Result<(), PopulateError> {
        let Some(spec) = &scenario.currencies else { return Ok(()) };
        for (index, (code, rate)) in spec.all().into_iter().enumerate() {
            let whole = ["CLP", "ISK", "JPY", "KRW", "VND", "XAF", "XOF"].contains(&code.as_str());
            let record = json!({
                "IsoCode": code,
                "ConversionRate": rate,
                "DecimalPlaces": if whole { 0 } else { 2 },
                "IsActive": true,
                "IsCorporate": code == spec.corporate,
            });
            self.put("CurrencyType", scenario_id("01L", index), record)?;
        }
        Ok(())
    }

    /// Persons with names in several scripts; one in ten has a last name alone.
    fn person_accounts(&mut self, number: u64) -> Result<(), PopulateError> {
        for index in 0..number {
            let nth =
                |names: [&'static str; 5], every: u64| names[usize::try_from(index / every % 5).unwrap_or_default()];
            let mut person = json!({
                "LastName": format!("{} {index}", nth(["Öztürk", "Müller", "山田", "O'Neil", "Иванова"], 1)),
                "PersonEmail": format!("person{index}@example.com"),
                "PersonMailingCity": nth(["Köln", "Kyōto", "Cork", "Paris", "Kyiv"], 3),
                "PersonBirthdate": format!("19{:02}-02-28", index % 100),
            });
            if index % 10 != 9 {
                person["FirstName"] = json!(nth(["Ayşe", "Jürgen", "花子", "Seán", "Ольга"], 2));
            }
            self.database
                .insert("Account", &as_record(person), &self.author)
                .map_err(|source| PopulateError::Row { object: "Account".into(), source })?;
        }
        Ok(())
    }

    /// Every profile owns a permission set of its own, as in real orgs.
    fn permissions(&mut self, scenario: &Scenario) -> Result<(), PopulateError> {
        let owned = scenario
            .profiles
            .iter()
            .enumerate()
            .map(|(index, (name, permissions))| (name, permissions, Some(scenario_id("00e", index))));
        let sets = scenario.permission_sets.iter().map(|(name, permissions)| (name, permissions, None));
        let mut rights = 0;
        for (index, (name, permissions, profile)) in owned.chain(sets).enumerate() {
            let id = scenario_id("0PS", index);
            let record = json!({
                "Name": developer_name(name),
                "Label": name,
                "IsOwnedByProfile": profile.is_some(),
                "ProfileId": profile.map(|id| id.to_string()),
            });
            self.put("PermissionSet", id, record)?;
            self.object_permissions(id, permissions, &mut rights)?;
            self.assignments(scenario, name, profile.is_some(), id)?;
        }
        Ok(())
    }

    fn object_permissions(
        &mut self,
        parent: RecordId,
        permissions: &Permissions,
        index: &mut usize,
    ) -> Result<(), PopulateError> {
        for (object, rights) in &permissions.objects {
            let has = |right: Right| rights.contains(&right);
            let record = json!({
                "ParentId": parent.to_string(),
                "SobjectType": object,
                "PermissionsRead": has(Right::Read),
                "PermissionsCreate": has(Right::Create),
                "PermissionsEdit": has(Right::Edit),
                "PermissionsDelete": has(Right::Delete),
                "PermissionsViewAllRecords": permissions.view_all_data || permissions.modify_all_data,
                "PermissionsModifyAllRecords": permissions.modify_all_data,
            });
            self.put("ObjectPermissions", scenario_id("110", *index), record)?;
            *index += 1;
        }
        Ok(())
    }

    fn assignments(
        &mut self,
        scenario: &Scenario,
        name: &str,
        of_profile: bool,
        set: RecordId,
    ) -> Result<(), PopulateError> {
        let holders: BTreeSet<&str> = scenario
            .users
            .iter()
            .filter(|user| match of_profile {
                true => user.profile == name,
                false => user.permission_sets.iter().any(|own| own == name),
            })
            .map(|user| user.username.as_str())
            .collect();
        for holder in holders {
            let assignee = Org::user_id_in(scenario, holder);
            let record = json!({"PermissionSetId": set.to_string(), "AssigneeId": assignee.to_string()});
            self.database
                .insert("PermissionSetAssignment", &as_record(record), &self.author)
                .map_err(|source| PopulateError::Row { object: "PermissionSetAssignment".into(), source })?;
        }
        Ok(())
    }
}

fn as_record(value: serde_json::Value) -> Record {
    match value {
        serde_json::Value::Object(record) => record,
        _ => Record::new(),
    }
}
