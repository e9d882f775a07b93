//! Rows that tell of the org itself, kept in step with it: the organization, its users, profiles and permission sets, its
//! apps, and who has signed in.
//!
//! Source: object reference v66, under the names of the objects. A row changes, and has a new stamp, when something that it
//! tells of has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::population::scenario_id;
use super::{Org, PopulateError};
use crate::database::{Author, Database, Record};
use crate::ids::RecordId;
use crate::login_history::LoginEntry;
use crate::scenario::{AppKind, Permissions, Scenario, Setup, UserKind, developer_name};
use crate::schema::{FullAccess, Schema};
use crate::site::Hosts;
use crate::table::IdRange;
use crate::value::Timestamp;

/// The licenses of users (Salesforce Help, "User Licenses").
const LICENSES: [(&str, &str); 2] = [("Salesforce", "SFDC"), ("Salesforce Integration", "SALESFORCE_INTEGRATION")];
/// The apps of every org: label and API name (simplified to two).
const APPS: [(&str, &str); 2] = [("Sales", "Sales"), ("Service", "Service")];
const OBJECT_OF_LOGINS: &str = "LoginHistory";
/// Older sign-ins are forgotten (Salesforce Help, "Monitor Login History": up to 20,000 of the past six months).
const KEPT_LOGINS: usize = 20_000;

/// What the rows were written from, and the numbers that names have in ids.
#[derive(Default)]
pub(crate) struct SystemRows {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    setup: Option<Arc<Setup>>,
    schema: Option<Arc<Schema>>,
    logins: usize,
    numbers: BTreeMap<(&'static str, String), usize>,
}

impl SystemRows {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id of a permission set's row; of the one that a profile owns, when `of_profile`.
    pub(super) fn permission_set_id(&self, name: &str, of_profile: bool) -> Option<RecordId> {
        let number = *self.lock().numbers.get(&("0PS", set_name(name, of_profile)))?;
        Some(scenario_id("0PS", number))
    }

    /// Writes the rows of an org that starts.
    pub(super) fn start(
        &self,
        database: &mut Database,
        scenario: &Scenario,
        org: RecordId,
        now: Timestamp,
    ) -> Result<(), PopulateError> {
        let setup = scenario.setup();
        let mut state = self.lock();
        state.keeper(database, scenario, &setup, org, now).all()
    }
}

/// The name that a permission set has among the others.
fn set_name(name: &str, of_profile: bool) -> String {
    if of_profile { format!("profile {name}") } else { format!("set {name}") }
}

impl State {
    fn keeper<'a>(
        &'a mut self,
        database: &'a mut Database,
        scenario: &'a Scenario,
        setup: &'a Setup,
        org: RecordId,
        now: Timestamp,
    ) -> Keeper<'a> {
        let author = Author { user: Org::user_id_in(scenario, ""), at: now, access: &FullAccess };
        Keeper { numbers: &mut self.numbers, database, scenario, setup, org, author }
    }
}

impl Org {
    /// Brings the rows that tell of the org in step with it. What was to be written and could not be is left out: the org
    /// goes on.
    pub(crate) fn refresh_system_rows(&self) {
        let mut state = self.system.lock();
        let (setup, logins) = (self.configuration.saved(), self.login_history.total());
        let schema = self.current_schema();
        let same_setup = state.setup.as_ref().is_some_and(|known| Arc::ptr_eq(known, &setup));
        let same_schema = state.schema.as_ref().is_some_and(|known| Arc::ptr_eq(known, &schema));
        if same_setup && same_schema && logins == state.logins {
            return;
        }
        let entries = self.login_history.after(state.logins);
        self.write(|database, now| {
            let mut keeper = state.keeper(database, &self.scenario, &setup, self.id, now);
            if !(same_setup && same_schema) {
                let _ = keeper.all();
            }
            keeper.logins(&entries);
        });
        (state.setup, state.schema, state.logins) = (Some(setup), Some(schema), logins);
    }
}

/// Writes rows.
struct Keeper<'a> {
    numbers: &'a mut BTreeMap<(&'static str, String), usize>,
    database: &'a mut Database,
    scenario: &'a Scenario,
    setup: &'a Setup,
    org: RecordId,
    author: Author<'a>,
}

impl Keeper<'_> {
    fn all(&mut self) -> Result<(), PopulateError> {
        self.organization()?;
        self.licenses()?;
        self.profiles()?;
        self.users()?;
        self.permission_sets()?;
        self.record_types()?;
        self.domains()?;
        self.apps()
    }

    /// The id that a name always has; a new name gets the next.
    fn id(&mut self, prefix: &'static str, name: &str) -> RecordId {
        let key = (prefix, name.to_owned());
        let next = self.numbers.keys().filter(|(known, _)| *known == prefix).count();
        let number = *self.numbers.entry(key).or_insert(next);
        scenario_id(prefix, number)
    }

    fn keep(&mut self, object: &str, id: RecordId, record: Value) -> Result<(), PopulateError> {
        let Value::Object(record) = record else { return Ok(()) };
        // Objects may lack a field: scenarios take fields away.
        let declared = self.database.schema().find(object).map(|(_, object)| object.clone());
        let Some(declared) = declared else { return Ok(()) };
        let record: Record = record.into_iter().filter(|(name, _)| declared.find(name).is_some()).collect();
        self.database
            .keep(object, id, &record, &self.author)
            .map_err(|source| PopulateError::Row { object: object.to_owned(), source })
    }

    /// Removes the rows of an object whose ids begin where those of scenarios do and are not among `kept`.
    fn remove_others(&mut self, object: &str, kept: &BTreeSet<RecordId>) {
        let Some((index, declared)) = self.database.schema().find(object) else { return };
        let Some(first) = declared.key_prefix.map(|prefix| scenario_id(prefix.as_str(), 0)) else { return };
        let rows = self.database.current().table(index).scan(IdRange::ALL).map(|row| row.id());
        let gone: Vec<RecordId> = rows.filter(|id| *id >= first && !kept.contains(id)).collect();
        for id in gone {
            // A row that somebody has removed is gone already.
            let _ = self.database.purge(id, self.author.at);
        }
    }

    fn organization(&mut self) -> Result<(), PopulateError> {
        let (org, kind) = (&self.setup.org, self.setup.org.kind);
        let record = json!({
            "Name": org.name,
            "OrganizationType": kind.edition(),
            "IsSandbox": kind.is_sandbox(),
            "InstanceName": org.instance,
            "NamespacePrefix": org.namespace,
            "TrialExpirationDate": org.trial_expiration.map(|date| date.format("%Y-%m-%dT%H:%M:%S.000+0000").to_string()),
            "DefaultLocaleSidKey": "en_US",
            "LanguageLocaleKey": "en_US",
            "TimeZoneSidKey": "GMT",
            "FiscalYearStartMonth": 1,
            "UsesStartDateAsFiscalYearName": false,
            "DefaultAccountAccess": "Edit",
            "DefaultContactAccess": "ControlledByParent",
            "DefaultOpportunityAccess": "Edit",
            "DefaultLeadAccess": "ReadEditTransfer",
            "DefaultCaseAccess": "ReadEditTransfer",
            "DefaultCalendarAccess": "HideDetails",
            "DefaultPricebookAccess": "ReadSelect",
            "DefaultCampaignAccess": "All",
            "UiSkin": "Theme3",
            "SignupCountryIsoCode": "US",
            "PrimaryContact": self.setup.users.first().map(crate::scenario::UserSpec::full_name),
        });
        self.keep("Organization", self.org, record)
    }

    fn licenses(&mut self) -> Result<(), PopulateError> {
        for (name, key) in LICENSES {
            let used = self.setup.users.iter().filter(|user| user.active && license_of(user.kind) == name).count();
            let record = json!({
                "Name": name,
                "LicenseDefinitionKey": key,
                "MasterLabel": name,
                "Status": "Active",
                "TotalLicenses": 100,
                "UsedLicenses": used,
            });
            let id = self.id("100", name);
            self.keep("UserLicense", id, record)?;
        }
        Ok(())
    }

    fn profiles(&mut self) -> Result<(), PopulateError> {
        for (name, permissions) in &self.setup.profiles {
            let license = if permissions.api_only { LICENSES[1].0 } else { LICENSES[0].0 };
            let mut record = json!({
                "Name": name,
                "UserType": "Standard",
                "UserLicenseId": self.id("100", license).to_string(),
            });
            add_permissions(&mut record, permissions);
            let id = self.id("00e", name);
            self.keep("Profile", id, record)?;
        }
        Ok(())
    }

    fn users(&mut self) -> Result<(), PopulateError> {
        let host = Hosts::of(&self.setup.org).my_domain().to_owned();
        for user in &self.setup.users {
            let alias: String = user.username.chars().take(8).collect();
            let profile = self.id("00e", &user.profile);
            let record = json!({
                "Username": user.username,
                "Email": user.address(),
                "FirstName": user.first_name,
                "LastName": user.last_name,
                "Alias": alias,
                "CommunityNickname": user.username.split('@').next(),
                "IsActive": user.active,
                "ProfileId": profile.to_string(),
                "UserType": "Standard",
                "TimeZoneSidKey": "GMT",
                "LocaleSidKey": "en_US",
                "LanguageLocaleKey": "en_US",
                "EmailEncodingKey": "UTF-8",
                "FullPhotoUrl": format!("https://{host}/profilephoto/005/F"),
                "SmallPhotoUrl": format!("https://{host}/profilephoto/005/T"),
            });
            let id = Org::user_id_in(self.scenario, &user.username);
            self.keep("User", id, record)?;
            let login = json!({
                "UserId": id.to_string(),
                "IsFrozen": user.frozen,
                "IsPasswordLocked": user.locked_out,
            });
            let login_id = self.id("0Yw", &user.username);
            self.keep("UserLogin", login_id, login)?;
        }
        Ok(())
    }

    /// Every profile owns a permission set of its own, as in real orgs.
    fn permission_sets(&mut self) -> Result<(), PopulateError> {
        let setup = self.setup;
        let owned = setup.profiles.iter().map(|(name, permissions)| (name, permissions, true));
        let sets = setup.permission_sets.iter().map(|(name, permissions)| (name, permissions, false));
        let mut assignments = BTreeSet::new();
        for (name, permissions, of_profile) in owned.chain(sets) {
            let profile = of_profile.then(|| self.id("00e", name).to_string());
            let mut record = json!({
                "Name": developer_name(name),
                "Label": name,
                "IsOwnedByProfile": of_profile,
                "ProfileId": profile,
                "IsCustom": true,
                "Type": if of_profile { "Profile" } else { "Regular" },
            });
            add_permissions(&mut record, permissions);
            let id = self.id("0PS", &set_name(name, of_profile));
            self.keep("PermissionSet", id, record)?;
            self.assignments((name, of_profile), id, &mut assignments)?;
        }
        self.remove_others("PermissionSetAssignment", &assignments);
        Ok(())
    }

    fn assignments(
        &mut self,
        (name, of_profile): (&str, bool),
        set: RecordId,
        kept: &mut BTreeSet<RecordId>,
    ) -> Result<(), PopulateError> {
        let setup = self.setup;
        let holds = |user: &&crate::scenario::UserSpec| match of_profile {
            true => user.profile == name,
            false => user.permission_sets.iter().any(|own| own == name),
        };
        for user in setup.users.iter().filter(holds) {
            let assignee = Org::user_id_in(self.scenario, &user.username);
            let id = self.id("0Pa", &format!("{} {}", set_name(name, of_profile), user.username));
            let record = json!({"PermissionSetId": set.to_string(), "AssigneeId": assignee.to_string()});
            self.keep("PermissionSetAssignment", id, record)?;
            kept.insert(id);
        }
        Ok(())
    }

    fn record_types(&mut self) -> Result<(), PopulateError> {
        let schema = Arc::clone(self.database.schema());
        for object in schema.objects() {
            for record_type in &object.record_types {
                let record = json!({
                    "Name": record_type.name,
                    "DeveloperName": record_type.developer_name,
                    "SobjectType": object.name,
                    "IsActive": record_type.active,
                    "IsPersonType": record_type.is_person,
                });
                self.keep("RecordType", record_type.id, record)?;
            }
        }
        Ok(())
    }

    fn domains(&mut self) -> Result<(), PopulateError> {
        let host = Hosts::of(&self.setup.org).my_domain().to_owned();
        let record = json!({"DomainType": "DNS", "Domain": host, "HttpsOption": "OnlyOnSFDC"});
        let id = self.id("0I4", &host);
        self.keep("Domain", id, record)
    }

    fn apps(&mut self) -> Result<(), PopulateError> {
        for (label, name) in APPS {
            let id = self.id("06m", name);
            let record = json!({
                "DurableId": id.short(),
                "Label": label,
                "MasterLabel": label,
                "DeveloperName": name,
                "UiType": "Lightning",
                "NavType": "Standard",
                "IsLargeFormFactorSupported": true,
            });
            self.keep("AppDefinition", id, record)?;
        }
        let setup = self.setup;
        let mut kept = BTreeSet::new();
        for app in setup.apps.iter().filter(|app| app.kind == AppKind::ConnectedApp) {
            let id = self.id("0H4", &app.consumer_key);
            let admin_approved = app.permitted_users == crate::scenario::PermittedUsers::AdminApproved;
            let record = json!({"Name": app.name, "OptionsAllowAdminApprovedUsersOnly": admin_approved});
            self.keep("ConnectedApplication", id, record)?;
            kept.insert(id);
        }
        self.remove_others("ConnectedApplication", &kept);
        Ok(())
    }

    /// Attempts to sign in of users who exist. A scenario that asks for generated rows has those alone.
    fn logins(&mut self, entries: &[(usize, LoginEntry)]) {
        let found = self.database.schema().find(OBJECT_OF_LOGINS);
        let is_generated = |index| self.database.current().table(index).generator.is_some();
        if found.is_none_or(|(index, _)| is_generated(index)) {
            return;
        }
        for (number, entry) in entries {
            if let Some(old) = number.checked_sub(KEPT_LOGINS) {
                self.database.forget(scenario_id("0Ya", old));
            }
            let setup = self.setup;
            let Some(user) = setup.user(&entry.username) else { continue };
            let record = json!({
                "UserId": Org::user_id_in(self.scenario, &user.username).to_string(),
                "LoginTime": entry.at.format("%Y-%m-%dT%H:%M:%S.000+0000").to_string(),
                "LoginType": entry.login_type,
                "SourceIp": entry.from.to_string(),
                "LoginUrl": Hosts::of(&setup.org).my_domain(),
                "Browser": "Unknown",
                "Platform": "Unknown",
                "Status": entry.status,
                "Application": entry.application.as_deref().unwrap_or("N/A"),
            });
            let _ = self.keep(OBJECT_OF_LOGINS, scenario_id("0Ya", *number), record);
        }
    }
}

fn license_of(kind: UserKind) -> &'static str {
    match kind {
        UserKind::Integration => LICENSES[1].0,
        UserKind::Standard | UserKind::Portal => LICENSES[0].0,
    }
}

/// The permissions of a profile or a permission set, as far as the org knows them. Who modifies all data is an administrator
/// and may customize the org.
fn add_permissions(record: &mut Value, permissions: &Permissions) {
    let admin = permissions.modify_all_data;
    for (name, granted) in [
        ("PermissionsApiEnabled", permissions.api_enabled),
        ("PermissionsApiUserOnly", permissions.api_only),
        ("PermissionsApproveUninstalledConnectedApps", permissions.approve_uninstalled_apps),
        ("PermissionsCustomizeApplication", admin),
        ("PermissionsManageUsers", admin),
        ("PermissionsModifyAllData", admin),
        ("PermissionsUseAnyApiClient", permissions.use_any_api_client),
        ("PermissionsViewAllData", permissions.view_all_data || admin),
        ("PermissionsViewSetup", permissions.view_setup),
    ] {
        record[name] = json!(granted);
    }
}
