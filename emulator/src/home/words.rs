//! Settings and policies in the words of Setup.

use crate::scenario::{
    AppKind, AppSpec, AppState, Distribution, IdentityVerification, IpRange, IpRelaxation, LevelAction, OrgKind,
    OrgSpec, OrgState, PermittedUsers, RefreshTokenPolicy, SessionLevel, SessionLevelPolicy, Setup, UserKind,
};

/// A setting and its value.
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// A way to connect, as an app and its org allow it.
pub(super) struct Flow {
    pub(super) name: &'static str,
    pub(super) is_on: bool,
    pub(super) note: String,
}

pub(super) fn org_kind(kind: OrgKind) -> &'static str {
    match kind {
        OrgKind::Production => "production",
        OrgKind::Sandbox => "sandbox",
        OrgKind::Develop => "Developer Edition",
        OrgKind::Scratch => "scratch org",
        OrgKind::Trailblaze => "Trailhead playground",
    }
}

/// `None` for the state that needs no word.
pub(super) fn org_state(state: OrgState) -> Option<&'static str> {
    match state {
        OrgState::Active => None,
        OrgState::Locked => Some("locked"),
        OrgState::Deleted => Some("deleted"),
        OrgState::Maintenance => Some("in maintenance"),
    }
}

pub(super) fn app_kind(kind: AppKind) -> &'static str {
    match kind {
        AppKind::ConnectedApp => "Connected App",
        AppKind::ExternalClientApp => "External Client App",
    }
}

/// `None` for the state that needs no word.
pub(super) fn app_state(state: AppState) -> Option<&'static str> {
    match state {
        AppState::Enabled => None,
        AppState::Disabled => Some("disabled"),
        AppState::Blocked => Some("blocked"),
        AppState::NotInstalled => Some("not installed"),
    }
}

/// `None` for the kind that needs no word.
pub(super) fn user_kind(kind: UserKind) -> Option<&'static str> {
    match kind {
        UserKind::Standard => None,
        UserKind::Integration => Some("integration license"),
        UserKind::Portal => Some("Experience Cloud site"),
    }
}

/// The class of a status, for its colour.
pub(super) fn status_class(status: Option<u16>) -> &'static str {
    match status {
        None => "open",
        Some(..400) => "good",
        Some(_) => "bad",
    }
}

pub(super) fn flows(app: &AppSpec, setup: &Setup) -> Vec<Flow> {
    let flow = |name, is_on, note: &str| Flow { name, is_on, note: note.to_owned() };
    let pkce = if app.requires_pkce() || setup.org.pkce_required { "PKCE required" } else { "PKCE optional" };
    let secret = if app.secret_required_for_web_server { "with secret" } else { "secret optional" };
    let password = app.kind == AppKind::ConnectedApp && setup.org.username_password_flow;
    let password_note = match (app.kind, setup.org.username_password_flow) {
        (AppKind::ExternalClientApp, _) => "Connected Apps only",
        (AppKind::ConnectedApp, false) => "off in the org's settings",
        (AppKind::ConnectedApp, true) => "",
    };
    let run_as = match &app.client_credentials {
        None => String::new(),
        Some(flow) => flow.run_as.as_ref().map_or("no Run As user".to_owned(), |user| format!("runs as {user}")),
    };
    let refresh = if app.secret_required_for_refresh { "with secret" } else { "secret optional" };
    let can_authorize = !app.callback_urls.is_empty();
    let authorize_note = if can_authorize { format!("{pkce}, {secret}") } else { "no callback URL".to_owned() };
    vec![
        flow("Web server (authorization code)", can_authorize, &authorize_note),
        flow("Client credentials", app.client_credentials.is_some(), &run_as),
        flow("JWT bearer", app.certificate.is_some(), if app.certificate.is_some() { "" } else { "no certificate" }),
        flow("Device", app.device_flow, ""),
        flow("Username and password", password, password_note),
        flow("Refresh token", app.has_refresh_scope(), if app.has_refresh_scope() { refresh } else { "no such scope" }),
        flow("Token exchange", app.token_exchange_flow, ""),
        flow("Authorization code and credentials", app.code_credentials_flow, ""),
    ]
}

pub(super) fn policies(app: &AppSpec, setup: &Setup) -> Vec<Setting> {
    let mut rows = vec![
        setting("Permitted users", permitted_users(app)),
        setting("IP relaxation", ip_relaxation(app.ip_relaxation)),
        setting("Refresh token", refresh_policy(app.refresh_token_policy)),
        setting("Refresh token rotation", on_off(app.refresh_token_rotation)),
        setting("Session timeout", timeout(app, setup)),
        setting("Session level", session_level(app)),
        setting("Introspect all tokens", on_off(app.introspects_all_tokens)),
        setting("JWT access tokens for named users", on_off(app.named_user_jwt)),
    ];
    if app.kind == AppKind::ExternalClientApp {
        rows.push(setting("Distribution", distribution(app.distribution)));
    }
    if !app.trusted_ip_ranges.is_empty() {
        rows.push(setting("Trusted IP ranges of the app", ranges(&app.trusted_ip_ranges)));
    }
    rows
}

pub(super) fn org_settings(org: &OrgSpec) -> Vec<Setting> {
    vec![
        setting("Propagation of changes", minutes(org.propagation_minutes)),
        setting("Username-password flow", allowed(org.username_password_flow)),
        setting("User-agent flow", allowed(org.user_agent_flow)),
        setting("PKCE for every app", if org.pkce_required { "required" } else { "as the app says" }),
        setting("SOAP login()", allowed(org.soap_login)),
        setting("Sign-in at login.salesforce.com and test.salesforce.com", allowed(org.generic_login)),
        setting("API Access Control", on_off(org.api_access_control)),
        setting("Uninstalled apps", if org.uninstalled_apps_refused { "refused" } else { "allowed" }),
        setting("Verification code at login", verification(org.identity_verification)),
        setting("Trusted IP ranges", ranges(&org.trusted_ip_ranges)),
        setting("Login IP ranges on every request", on_off(org.ip_ranges_on_every_request)),
        setting("Session security level policy", level_policy(org.session_level_policy)),
        setting("Session timeout", minutes(org.session_timeout_minutes)),
    ]
}

fn setting(name: &'static str, value: impl Into<String>) -> Setting {
    Setting { name, value: value.into() }
}

fn on_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

fn allowed(is_allowed: bool) -> &'static str {
    if is_allowed { "allowed" } else { "not allowed" }
}

fn minutes(count: u32) -> String {
    match count {
        0 => "at once".to_owned(),
        1 => "1 minute".to_owned(),
        more => format!("{more} minutes"),
    }
}

fn permitted_users(app: &AppSpec) -> String {
    let assigned: Vec<&str> = app.profiles.iter().chain(&app.permission_sets).map(String::as_str).collect();
    match (app.permitted_users, assigned.is_empty()) {
        (PermittedUsers::All, _) => "All users may self-authorize".to_owned(),
        (PermittedUsers::AdminApproved, true) => "Admin approved users, and nobody is assigned".to_owned(),
        (PermittedUsers::AdminApproved, false) => format!("Admin approved users: {}", assigned.join(", ")),
    }
}

fn ip_relaxation(relaxation: IpRelaxation) -> &'static str {
    match relaxation {
        IpRelaxation::Enforce => "Enforce IP restrictions",
        IpRelaxation::Bypass => "Relax IP restrictions",
        IpRelaxation::EnforceRelaxRefresh => "Enforce IP restrictions, but relax for refresh tokens",
        IpRelaxation::BypassSecondFactor => "Relax IP restrictions with a second factor",
    }
}

fn refresh_policy(policy: RefreshTokenPolicy) -> String {
    match policy {
        RefreshTokenPolicy::Infinite => "valid until revoked".to_owned(),
        RefreshTokenPolicy::Zero => "expires immediately".to_owned(),
        RefreshTokenPolicy::LifetimeHours(hours) => format!("expires {} after issue", long(hours)),
        RefreshTokenPolicy::InactivityHours(hours) => format!("expires if not used for {}", long(hours)),
    }
}

/// Hours, or days where they are whole.
fn long(hours: u32) -> String {
    match hours {
        1 => "1 hour".to_owned(),
        hours if hours % 24 == 0 && hours > 24 => format!("{} days", hours / 24),
        hours => format!("{hours} hours"),
    }
}

fn timeout(app: &AppSpec, setup: &Setup) -> String {
    match app.session_timeout_minutes {
        Some(count) => minutes(count),
        None => format!("the profile's, else {}", minutes(setup.org.session_timeout_minutes)),
    }
}

fn session_level(app: &AppSpec) -> &'static str {
    match (app.required_session_level, app.level_action) {
        (SessionLevel::Low | SessionLevel::Standard, _) => "any",
        (SessionLevel::HighAssurance, LevelAction::Block) => "high assurance, others are blocked",
        (SessionLevel::HighAssurance, LevelAction::RaiseSessionLevel) => "high assurance, by a second factor",
    }
}

fn distribution(distribution: Distribution) -> &'static str {
    match distribution {
        Distribution::Local => "local: in this org alone",
        Distribution::Packaged => "packaged: wherever it is installed",
    }
}

fn verification(verification: IdentityVerification) -> &'static str {
    match verification {
        IdentityVerification::Never => "never",
        IdentityVerification::UnknownBrowser => "from a browser that is not known",
        IdentityVerification::Always => "always",
    }
}

fn level_policy(policy: SessionLevelPolicy) -> &'static str {
    match policy {
        SessionLevelPolicy::None => "none",
        SessionLevelPolicy::Block => "blocks sessions below high assurance",
    }
}

fn ranges(ranges: &[IpRange]) -> String {
    if ranges.is_empty() {
        return "none".to_owned();
    }
    ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_days_are_told_in_days() {
        for (hours, told) in [(1, "1 hour"), (24, "24 hours"), (25, "25 hours"), (2160, "90 days")] {
            assert_eq!(long(hours), told);
        }
    }

    #[test]
    fn a_status_is_open_until_there_is_an_answer() {
        let classes = [None, Some(200), Some(303), Some(400), Some(503)].map(status_class);
        assert_eq!(classes, ["open", "good", "good", "bad", "bad"]);
    }
}
