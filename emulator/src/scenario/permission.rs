//! What profiles and permission sets allow.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::network::{IpRange, LoginHours};
use crate::pattern::Pattern;
use crate::schema::Api;

/// A profile or a permission set. Permissions add up; a field is hidden when something hides it and nothing shows it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Permissions {
    /// API Enabled.
    pub api_enabled: bool,
    /// API Only User.
    pub api_only: bool,
    /// View Setup and Configuration.
    pub view_setup: bool,
    /// View All Data: read on every object.
    pub view_all_data: bool,
    /// Modify All Data: every right on every object.
    pub modify_all_data: bool,
    /// Approve Uninstalled Connected Apps.
    pub approve_uninstalled_apps: bool,
    /// Use Any API Client: past API Access Control.
    pub use_any_api_client: bool,
    /// Bulk API Hard Delete.
    pub bulk_hard_delete: bool,
    /// Login IP Ranges of a profile; none allow every address.
    pub login_ip_ranges: Vec<IpRange>,
    /// Login Hours of a profile.
    pub login_hours: Option<LoginHours>,
    /// Session timeout of a profile in minutes.
    pub session_timeout_minutes: Option<u32>,
    /// Rights by object.
    pub objects: BTreeMap<String, BTreeSet<Right>>,
    /// Fields hidden by field-level security, as `Contact.Birthdate`; `*` stands for any text.
    pub hidden_fields: Vec<Pattern>,
    /// Fields shown although something else hides them, written likewise.
    pub shown_fields: Vec<Pattern>,
}

/// A right on an object.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    Read,
    Create,
    Edit,
    Delete,
}

/// What one user may do, all sources together.
#[derive(Clone, Debug, Default)]
pub struct UserAccess {
    pub api_enabled: bool,
    pub api_only: bool,
    pub view_setup: bool,
    pub approve_uninstalled_apps: bool,
    pub use_any_api_client: bool,
    pub bulk_hard_delete: bool,
    /// The API by which the user comes.
    pub api: Api,
    everywhere: BTreeSet<Right>,
    objects: BTreeMap<String, BTreeSet<Right>>,
    hidden: Vec<Pattern>,
    shown: Vec<Pattern>,
    withheld: BTreeSet<String>,
}

impl UserAccess {
    /// The same without some objects and fields, which are named as `Contact` and `Contact.Birthdate`.
    pub(super) fn without(mut self, withheld: &BTreeSet<String>) -> Self {
        self.withheld = withheld.iter().map(|name| name.to_ascii_lowercase()).collect();
        self
    }

    /// The same by way of another API.
    pub fn by(mut self, api: Api) -> Self {
        self.api = api;
        self
    }

    /// Whether an object is among those that nobody sees any more.
    pub fn is_withheld(&self, object: &str) -> bool {
        !self.withheld.is_empty() && self.withheld.contains(&object.to_ascii_lowercase())
    }

    /// Adds up a profile and its permission sets.
    pub fn combine<'a>(sources: impl Iterator<Item = &'a Permissions>) -> Self {
        let mut access = Self::default();
        for source in sources {
            access.api_enabled |= source.api_enabled;
            access.api_only |= source.api_only;
            access.view_setup |= source.view_setup;
            access.approve_uninstalled_apps |= source.approve_uninstalled_apps;
            access.use_any_api_client |= source.use_any_api_client;
            access.bulk_hard_delete |= source.bulk_hard_delete;
            if source.view_all_data || source.modify_all_data {
                access.everywhere.insert(Right::Read);
            }
            if source.modify_all_data {
                access.everywhere.extend([Right::Create, Right::Edit, Right::Delete]);
            }
            for (object, rights) in &source.objects {
                let known = access.objects.entry(object.to_ascii_lowercase()).or_default();
                known.extend(rights);
            }
            access.hidden.extend(source.hidden_fields.iter().cloned());
            access.shown.extend(source.shown_fields.iter().cloned());
        }
        access
    }

    /// Whether the user has a right on an object. Create, edit and delete do not work without read.
    pub fn may(&self, right: Right, object: &str) -> bool {
        if self.everywhere.contains(&right) {
            return true;
        }
        self.objects.get(&object.to_ascii_lowercase()).is_some_and(|rights| rights.contains(&right))
    }

    /// Whether the user has a right on every object.
    pub fn may_everywhere(&self, right: Right) -> bool {
        self.everywhere.contains(&right)
    }

    /// Whether field-level security lets the user see a field of an object that is readable.
    pub fn sees(&self, object: &str, field: &str) -> bool {
        let name = format!("{object}.{field}");
        if !self.withheld.is_empty() && self.withheld.contains(&name.to_ascii_lowercase()) {
            return false;
        }
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(&name));
        !any(&self.hidden) || any(&self.shown)
    }
}
