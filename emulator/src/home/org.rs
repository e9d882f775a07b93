//! One org as the page shows it: what was saved in Setup, in an admin's words.

use super::live;
use super::words::{self, Flow, Setting};
use crate::org::Org;
use crate::scenario::{AppSpec, Setup, UserSpec};
use crate::secret::Secret;
use crate::world::World;

pub(super) struct OrgView {
    pub(super) is_first: bool,
    pub(super) name: String,
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) state: Option<&'static str>,
    pub(super) my_domain: String,
    pub(super) host: String,
    pub(super) url: String,
    pub(super) hosts: Vec<String>,
    pub(super) sandbox_of: Option<String>,
    pub(super) settings: Vec<Setting>,
    pub(super) apps: Vec<AppView>,
    pub(super) users: Vec<UserView>,
    pub(super) logins: String,
}

pub(super) struct AppView {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) state: Option<&'static str>,
    pub(super) key: String,
    pub(super) secret: String,
    pub(super) callback_urls: Vec<String>,
    pub(super) scopes: Vec<String>,
    pub(super) flows_on: Vec<Flow>,
    pub(super) flows_off: Vec<Flow>,
    pub(super) policies: Vec<Setting>,
}

pub(super) struct UserView {
    pub(super) username: String,
    pub(super) name: String,
    pub(super) password: Option<String>,
    pub(super) security_token: Option<String>,
    pub(super) profile: String,
    pub(super) permission_sets: Vec<String>,
    pub(super) states: Vec<State>,
}

/// A word about a user.
pub(super) struct State {
    pub(super) name: &'static str,
    pub(super) is_bad: bool,
}

impl OrgView {
    pub(super) fn of(org: &Org, world: &World) -> Self {
        let setup = org.configuration.saved();
        let spec = &setup.org;
        Self {
            is_first: org.id == world.primary().id,
            name: spec.name.clone(),
            id: org.id.to_string(),
            kind: words::org_kind(spec.kind),
            state: words::org_state(spec.state),
            my_domain: spec.my_domain.clone(),
            host: org.hosts.my_domain().to_owned(),
            url: format!("https://{}", org.hosts.my_domain()),
            hosts: org.hosts.all(),
            sandbox_of: origin(&spec.my_domain, world),
            settings: words::org_settings(spec),
            apps: setup.apps.iter().map(|app| AppView::of(app, &setup)).collect(),
            users: setup.users.iter().map(UserView::of).collect(),
            logins: live::logins(org),
        }
    }
}

/// The production org of a sandbox: `acme--uat` is a sandbox of `acme`.
fn origin(my_domain: &str, world: &World) -> Option<String> {
    let (origin, _) = my_domain.split_once("--")?;
    world.org_named(origin).map(|org| format!("{} ({origin})", org.scenario.org.name))
}

impl AppView {
    fn of(app: &AppSpec, setup: &Setup) -> Self {
        let (flows_on, flows_off) = words::flows(app, setup).into_iter().partition(|flow| flow.is_on);
        Self {
            name: app.name.clone(),
            kind: words::app_kind(app.kind),
            state: words::app_state(app.state),
            key: app.consumer_key.clone(),
            secret: app.consumer_secret.expose().to_owned(),
            callback_urls: app.callback_urls.clone(),
            scopes: app.scopes.clone(),
            flows_on,
            flows_off,
            policies: words::policies(app, setup),
        }
    }
}

impl UserView {
    fn of(user: &UserSpec) -> Self {
        let shown = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
        Self {
            username: user.username.clone(),
            name: user.full_name(),
            password: shown(&user.password),
            security_token: shown(&user.security_token),
            profile: user.profile.clone(),
            permission_sets: user.permission_sets.clone(),
            states: states(user),
        }
    }
}

fn states(user: &UserSpec) -> Vec<State> {
    let bad = |holds: bool, name| holds.then_some(State { name, is_bad: true });
    let good = |holds: bool, name| holds.then_some(State { name, is_bad: false });
    let may_sign_in = user.may_sign_in() && !user.locked_out;
    let known = [
        good(may_sign_in, "active"),
        bad(!user.active, "inactive"),
        bad(user.frozen, "frozen"),
        bad(user.locked_out, "locked out"),
        bad(user.password_expired, "password expired"),
        good(user.second_factor, "second factor"),
    ];
    known.into_iter().flatten().chain(words::user_kind(user.kind).map(|name| State { name, is_bad: false })).collect()
}
