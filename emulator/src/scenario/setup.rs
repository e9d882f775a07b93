//! What an admin decides in Setup, and may change while the org runs.

use std::collections::{BTreeMap, BTreeSet};

use super::{AppKind, AppSpec, IpRange, OrgSpec, Permissions, PermittedUsers, Scenario, UserAccess, UserSpec};

/// The configuration of an org: everything that decides who may sign in, with which app, and what they may do.
#[derive(Clone, Debug)]
pub struct Setup {
    pub org: OrgSpec,
    /// Profiles by name.
    pub profiles: BTreeMap<String, Permissions>,
    /// Permission sets by name.
    pub permission_sets: BTreeMap<String, Permissions>,
    pub users: Vec<UserSpec>,
    pub apps: Vec<AppSpec>,
    /// Objects (`Contact`) and fields (`Contact.Birthdate`) that nobody sees any more, whatever profiles and permission
    /// sets say.
    pub withheld: BTreeSet<String>,
}

impl Scenario {
    /// The configuration that the scenario starts with.
    pub fn setup(&self) -> Setup {
        Setup {
            org: self.org.clone(),
            profiles: self.profiles.clone(),
            permission_sets: self.permission_sets.clone(),
            users: self.users.clone(),
            apps: self.apps.clone(),
            withheld: BTreeSet::new(),
        }
    }
}

impl Setup {
    /// The user with this name; user names are compared without case.
    pub fn user(&self, username: &str) -> Option<&UserSpec> {
        self.users.iter().find(|user| user.username.eq_ignore_ascii_case(username))
    }

    /// The user with this name, to be changed.
    pub fn user_mut(&mut self, username: &str) -> Option<&mut UserSpec> {
        self.users.iter_mut().find(|user| user.username.eq_ignore_ascii_case(username))
    }

    /// The app with this consumer key.
    pub fn app(&self, consumer_key: &str) -> Option<&AppSpec> {
        self.apps.iter().find(|app| app.consumer_key == consumer_key)
    }

    /// The app with this consumer key, to be changed.
    pub fn app_mut(&mut self, consumer_key: &str) -> Option<&mut AppSpec> {
        self.apps.iter_mut().find(|app| app.consumer_key == consumer_key)
    }

    /// Puts an app in the place of the one with its consumer key, or adds it.
    pub fn put_app(&mut self, app: AppSpec) {
        match self.app_mut(&app.consumer_key) {
            Some(known) => *known = app,
            None => self.apps.push(app),
        }
    }

    /// Puts a user in the place of the one with the same name, or adds them.
    pub fn put_user(&mut self, user: UserSpec) {
        match self.user_mut(&user.username) {
            Some(known) => *known = user,
            None => self.users.push(user),
        }
    }

    /// What the profile and the permission sets of a user allow together.
    pub fn access(&self, user: &UserSpec) -> UserAccess {
        let sets = user.permission_sets.iter().filter_map(|name| self.permission_sets.get(name));
        UserAccess::combine(self.profile(user).into_iter().chain(sets)).without(&self.withheld)
    }

    /// The profile of a user.
    pub fn profile(&self, user: &UserSpec) -> Option<&Permissions> {
        self.profiles.get(&user.profile)
    }

    /// Whether an app is assigned to a user, by the profile or a permission set.
    pub fn is_assigned(&self, app: &AppSpec, user: &UserSpec) -> bool {
        app.profiles.contains(&user.profile) || user.permission_sets.iter().any(|set| app.permission_sets.contains(set))
    }

    /// *Permitted Users* of an app: with admin approval, the app must be assigned to the user, and to its Run As user as
    /// far as the org governs that one.
    pub fn permits(&self, app: &AppSpec, user: &UserSpec, runs_as: bool) -> bool {
        let is_governed = match app.kind {
            AppKind::ExternalClientApp => !runs_as || self.org.run_as_needs_assignment,
            AppKind::ConnectedApp => !runs_as,
        };
        !is_governed || app.permitted_users == PermittedUsers::All || self.is_assigned(app, user)
    }

    /// The login IP ranges of a user's profile; none allow every address.
    pub fn login_ip_ranges(&self, user: &UserSpec) -> &[IpRange] {
        self.profile(user).map_or(&[], |profile| &profile.login_ip_ranges)
    }

    /// Minutes of inactivity after which a session of a user ends: those of the app, when there is one, else the
    /// profile's, else the org's.
    pub fn session_timeout_minutes(&self, app: Option<&AppSpec>, user: &UserSpec) -> u32 {
        let of_profile = || self.profile(user).and_then(|profile| profile.session_timeout_minutes);
        app.and_then(|app| app.session_timeout_minutes).or_else(of_profile).unwrap_or(self.org.session_timeout_minutes)
    }
}
