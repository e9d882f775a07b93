//! A Connected App is deployed.

use super::component::{Fields, SourceFile};
use super::oauth::{
    apply_flows, apply_id_token, apply_session, hours, ip_ranges, ip_relaxation, reference, repeated, wire_scopes,
};
use super::target::{Identity, Target};
use crate::scenario::{AppKind, AppSpec, ClientCredentialsSpec, PermittedUsers, RefreshTokenPolicy};

/// What deployments say since creation is off everywhere (Salesforce Help, "New connected apps can no longer be created
/// in Spring '26").
const BLOCKED: &str =
    "You can't create a connected app. To enable connected app creation, contact Salesforce Customer Support.";

pub(super) fn deploy(file: &SourceFile, target: &mut Target<'_>) {
    if file.unreadable {
        return;
    }
    let place = target.app(AppKind::ConnectedApp, &file.name);
    if place.is_none() && !target.setup.org.connected_app_creation {
        target.problems.add(&file.path, file.root.at(), BLOCKED);
    }
    // Without OAuth settings it is an app for single sign-on or canvas, and no client.
    let Some(config) = file.root.nested("oauthConfig") else { return };
    let identity = Identity {
        kind: AppKind::ConnectedApp,
        name: &file.name,
        label: file.root.text("label"),
        file: &file.path,
        key: reference(config, "consumerKey"),
    };
    let mut app = target.app_to_change(place, identity);
    apply_flows(file, config, &mut app, target);
    apply_config(file, config, &mut app, target);
    apply_policies(file, &mut app, target);
    target.put(place, app);
}

fn apply_config(file: &SourceFile, config: &Fields, app: &mut AppSpec, target: &mut Target<'_>) {
    app.scopes = wire_scopes(config.texts("scopes").map(|(word, _)| word));
    app.code_credentials_flow = config.flag("isCodeCredentialEnabled").unwrap_or(false);
    app.pkce_required = Some(config.flag("isPkceRequired").unwrap_or(false));
    let run_as = reference(config, "oauthClientCredentialUser").and_then(|user| target.run_as(&file.path, user));
    let enabled = config.flag("isClientCredentialEnabled").unwrap_or(false);
    app.client_credentials = enabled.then_some(ClientCredentialsSpec { run_as });
    app.permitted_users = match config.flag("isAdminApproved") {
        Some(true) => PermittedUsers::AdminApproved,
        Some(false) | None => PermittedUsers::All,
    };
    let exchanges = |fields: &Fields, name| fields.flag(name).unwrap_or(false);
    app.token_exchange_flow = exchanges(config, "isTokenExchangeEnabled")
        && file.root.nested("oauthPolicy").is_some_and(|policy| exchanges(policy, "isTokenExchangeFlowEnabled"));
    apply_id_token(&file.path, config, "idTokenValidity", app, &mut target.problems);
}

fn apply_policies(file: &SourceFile, app: &mut AppSpec, target: &mut Target<'_>) {
    let root = &file.root;
    app.permission_sets = target.permission_sets(&file.path, "permissionSetName", repeated(root, "permissionSetName"));
    app.profiles = target.profiles(&file.path, "profileName", repeated(root, "profileName"));
    app.trusted_ip_ranges = ip_ranges(&file.path, root, "ipRanges", ["start", "end"], &mut target.problems);
    if let Some(policy) = root.nested("oauthPolicy") {
        app.ip_relaxation = policy.text("ipRelaxation").map_or(app.ip_relaxation, ip_relaxation);
        if let Some((text, at)) = reference(policy, "refreshTokenPolicy") {
            match refresh_token_policy(text) {
                Some(policy) => app.refresh_token_policy = policy,
                None => target.problems.add(&file.path, at, format!("Invalid refresh token policy: {text}")),
            }
        }
    }
    if let Some(session) = root.nested("sessionPolicy") {
        apply_session(&file.path, session, ["sessionLevel", "sessionTimeout"], app, &mut target.problems);
    }
}

/// `infinite`, `zero`, or a policy with number and unit such as `specific_inactivity:30:DAYS`.
fn refresh_token_policy(text: &str) -> Option<RefreshTokenPolicy> {
    let mut parts = text.split(':');
    let policy = parts.next()?;
    let limit = match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => None,
        (Some(period), Some(unit), None) => Some(hours(period.parse().ok()?, unit)?),
        _ => return None,
    };
    match (policy, limit) {
        ("infinite", None) => Some(RefreshTokenPolicy::Infinite),
        ("zero", None) => Some(RefreshTokenPolicy::Zero),
        ("specific_lifetime", Some(hours)) => Some(RefreshTokenPolicy::LifetimeHours(hours)),
        ("specific_inactivity", Some(hours)) => Some(RefreshTokenPolicy::InactivityHours(hours)),
        _ => None,
    }
}
