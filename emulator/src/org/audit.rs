//! *Setup > View Setup Audit Trail*: what an admin has changed.
//!
//! Source: object reference v66, SetupAuditTrail. The names of actions and sections are those of Salesforce where an example
//! of the trail shows them; the others, and all sentences, are inferred.

use serde_json::json;

use super::Org;
use crate::database::{Author, Record};
use crate::scenario::{Setup, UserSpec};
use crate::schema::FullAccess;

/// One change.
pub(crate) struct Change {
    action: &'static str,
    section: &'static str,
    display: String,
}

impl Change {
    pub(crate) fn of_fields(action: &'static str, display: String) -> Self {
        Self { action, section: "Custom Objects", display }
    }
}

impl Org {
    /// Notes changes by the org's first user.
    pub(crate) fn note_changes(&self, changes: Vec<Change>) {
        self.write(|database, at| {
            let author = Author { user: self.user_id(""), at, access: &FullAccess };
            for Change { action, section, display } in changes {
                let mut record = Record::new();
                record.insert("Action".to_owned(), json!(action));
                record.insert("Section".to_owned(), json!(section));
                record.insert("Display".to_owned(), json!(display));
                // An org without the object keeps no trail.
                let _ = database.insert("SetupAuditTrail", &record, &author);
            }
        });
    }
}

/// What differs between two configurations.
pub(crate) fn changes(before: &Setup, after: &Setup) -> Vec<Change> {
    let mut changes = Vec::new();
    for user in &after.users {
        if let Some(known) = before.user(&user.username) {
            of_user(known, user, &mut changes);
        }
    }
    let names = |setup: &Setup| setup.apps.iter().map(|app| app.name.clone()).collect::<Vec<_>>();
    let (had, has) = (names(before), names(after));
    let mut app = |action, verb: &str, name: &String| {
        changes.push(Change { action, section: "Connected Apps", display: format!("{verb} connected app {name}") });
    };
    has.iter().filter(|name| !had.contains(name)).for_each(|name| app("createdConnectedApplication", "Created", name));
    had.iter().filter(|name| !has.contains(name)).for_each(|name| app("deletedConnectedApplication", "Deleted", name));
    for withheld in before.withheld.symmetric_difference(&after.withheld) {
        let display = format!("Changed field-level security of {withheld}");
        changes.push(Change { action: "profileFlsChangedStandard", section: "Manage Users", display });
    }
    changes
}

fn of_user(before: &UserSpec, after: &UserSpec, changes: &mut Vec<Change>) {
    let name = &after.username;
    let mut note = |action, display: String| changes.push(Change { action, section: "Manage Users", display });
    match (before.active, after.active) {
        (true, false) => note("deactivateduser", format!("Deactivated user {name}")),
        (false, true) => note("activateduser", format!("Activated user {name}")),
        _ => {}
    }
    match (before.frozen, after.frozen) {
        (false, true) => note("frozeuser", format!("Froze user {name}")),
        (true, false) => note("unfrozeuser", format!("Unfroze user {name}")),
        _ => {}
    }
    if before.profile != after.profile {
        let display = format!("Changed profile for user {name} from {} to {}", before.profile, after.profile);
        note("changedprofileforuser", display);
    }
    if before.permission_sets != after.permission_sets {
        let display = format!("Changed permission sets of user {name}");
        note("PermSetAssign", display);
    }
}
