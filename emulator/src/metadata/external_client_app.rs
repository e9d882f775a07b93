//! The files of External Client Apps are put together and deployed.

use std::path::Path;

use super::component::{Fields, SourceFile};
use super::folder::Package;
use super::oauth::{
    apply_flows, apply_id_token, apply_session, hours, ip_ranges, ip_relaxation, list, minutes, reference, wire_scopes,
};
use super::target::{Identity, Target, missing};
use super::types::{Role, SCOPES};
use crate::scenario::{
    AppKind, AppSpec, AppState, ClientCredentialsSpec, Distribution, JWT_MINUTES, PermittedUsers, RefreshTokenPolicy,
};

const APP: &str = "externalClientApplication";

/// The files of one app in a deployment.
struct Parts<'a> {
    name: &'a str,
    header: Option<&'a SourceFile>,
    global: Option<&'a SourceFile>,
    oauth: Option<&'a SourceFile>,
    oauth_policies: Option<&'a SourceFile>,
    app_policies: Option<&'a SourceFile>,
}

/// Deploys every External Client App of a package.
pub(super) fn deploy(package: &Package, target: &mut Target<'_>) {
    for (role, file) in &package.files {
        if is_part(*role) {
            check_owner(package, file, target);
        }
    }
    // A file that nobody can read belongs to some app: then none is said to lack one.
    let complete = package.files.iter().all(|(role, file)| !is_part(*role) || file.root.text(APP).is_some());
    for name in app_names(package) {
        let parts = parts(package, name, target);
        let place = target.app(AppKind::ExternalClientApp, name);
        if place.is_some() || parts.global.is_some() && parts.oauth.is_some() {
            deploy_app(&parts, place, target);
        } else if complete {
            report_missing(&parts, target);
        }
    }
}

fn is_part(role: Role) -> bool {
    matches!(role, Role::GlobalOauth | Role::Oauth | Role::OauthPolicies | Role::AppPolicies)
}

/// Names of the apps that files are about, as long as the app is among the files or in the org.
fn app_names(package: &Package) -> Vec<&str> {
    let parts = package.files.iter().filter(|(role, _)| is_part(*role)).filter_map(|(_, file)| file.root.text(APP));
    let headers = package.of(Role::Header).map(|file| file.name.as_str());
    let mut names: Vec<&str> = headers.chain(parts).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn check_owner(package: &Package, file: &SourceFile, target: &mut Target<'_>) {
    let Some((name, at)) = reference(&file.root, APP) else { return };
    let deployed = package.of(Role::Header).any(|header| header.name == name);
    if !deployed && target.app(AppKind::ExternalClientApp, name).is_none() {
        target.problems.add(&file.path, at, missing(APP, "ExternalClientApplication", name));
    }
}

fn parts<'a>(package: &'a Package, name: &'a str, target: &mut Target<'_>) -> Parts<'a> {
    let mut only = |role: Role| {
        let mut files = package.of(role).filter(|file| file.root.text(APP) == Some(name));
        let first = files.next();
        for other in files {
            let message = format!("The external client app {name} has another file of this type");
            target.problems.add(&other.path, other.root.at_element(APP), message);
        }
        first
    };
    Parts {
        name,
        header: package.of(Role::Header).find(|header| header.name == name),
        global: only(Role::GlobalOauth),
        oauth: only(Role::Oauth),
        oauth_policies: only(Role::OauthPolicies),
        app_policies: only(Role::AppPolicies),
    }
}

/// An app without OAuth files is none that anybody can sign in with; an app with some of them is not complete.
fn report_missing(parts: &Parts<'_>, target: &mut Target<'_>) {
    let Parts { name, header: Some(_), global, oauth, oauth_policies, .. } = parts else { return };
    let present = [global, oauth, oauth_policies].into_iter().copied().flatten().next();
    let Some(present) = present else { return };
    let mut lacks = |type_name: &str| {
        let message = format!("The external client app {name} has no {type_name}");
        target.problems.add(&present.path, present.root.at_element(APP), message);
    };
    if global.is_none() {
        lacks("ExtlClntAppGlobalOauthSettings");
    }
    if oauth.is_none() {
        lacks("ExtlClntAppOauthSettings");
    }
}

fn deploy_app(parts: &Parts<'_>, place: Option<usize>, target: &mut Target<'_>) {
    let identity = Identity {
        kind: AppKind::ExternalClientApp,
        name: parts.name,
        label: parts.header.and_then(|header| header.root.text("label")),
        file: parts.global.map_or(Path::new(""), |file| &file.path),
        key: parts.global.and_then(|file| reference(&file.root, "consumerKey")),
    };
    let mut app = target.app_to_change(place, identity);
    apply_client_credentials(parts, &mut app, place.is_some(), target);
    if let Some(file) = parts.header {
        apply_header(file, &mut app);
    }
    if let Some(file) = parts.global {
        apply_global(file, &mut app, target);
    }
    if let Some(file) = parts.oauth {
        apply_oauth(file, &mut app, target);
    }
    if let Some(file) = parts.oauth_policies {
        apply_oauth_policies(file, &mut app, target);
    }
    if let Some(file) = parts.app_policies {
        apply_app_policies(file, &mut app);
    }
    target.put(place, app);
}

/// Two switches for two flows, one in the settings and one in the policies. A file that is not deployed leaves its
/// switch as it is.
fn both(parts: &Parts<'_>, [setting, policy]: [&'static str; 2], before: bool) -> bool {
    let switch = |file: Option<&SourceFile>, name| file.map_or(before, |file| file.root.flag(name).unwrap_or(false));
    switch(parts.global, setting) && switch(parts.oauth_policies, policy)
}

fn apply_client_credentials(parts: &Parts<'_>, app: &mut AppSpec, known: bool, target: &mut Target<'_>) {
    const FLOW: [&str; 2] = ["isClientCredentialsFlowEnabled"; 2];
    const EXCHANGE: [&str; 2] = ["isTokenExchangeEnabled", "isTokenExchangeFlowEnabled"];
    let before = app.client_credentials.take();
    let enabled = both(parts, FLOW, known && before.is_some());
    let run_as = match parts.oauth_policies {
        Some(file) => {
            let named = reference(&file.root, "clientCredentialsFlowUser");
            named.and_then(|user| target.run_as(&file.path, user))
        }
        None => before.and_then(|before| before.run_as),
    };
    app.client_credentials = enabled.then_some(ClientCredentialsSpec { run_as });
    app.token_exchange_flow = both(parts, EXCHANGE, app.token_exchange_flow);
}

fn apply_header(file: &SourceFile, app: &mut AppSpec) {
    app.distribution = match file.root.text("distributionState") {
        Some("Packaged" | "Managed" | "AutoInstalled") => Distribution::Packaged,
        _ => Distribution::Local,
    };
}

fn apply_global(file: &SourceFile, app: &mut AppSpec, target: &mut Target<'_>) {
    let fields = &file.root;
    // Not marked as required, and yet nothing is deployed without it, even for flows of servers alone.
    if fields.text("callbackUrl").is_none() {
        target.problems.add(&file.path, fields.at(), "Required field is missing: callbackUrl");
    }
    apply_flows(file, fields, app, target);
    app.device_flow = fields.flag("isDeviceFlowEnabled").unwrap_or(false);
    app.code_credentials_flow = fields.flag("isCodeCredFlowEnabled").unwrap_or(false);
    app.pkce_required = Some(fields.flag("isPkceRequired").unwrap_or(true));
    for (rotates, what) in [("shouldRotateConsumerKey", "key"), ("shouldRotateConsumerSecret", "secret")] {
        if fields.flag(rotates) == Some(true) {
            let message = format!("Rotating the consumer {what} needs a deployment that ignores warnings");
            target.problems.add(&file.path, fields.at_element(rotates), message);
        }
    }
    apply_id_token(&file.path, fields, "idTokenValidityInMinutes", app, &mut target.problems);
}

fn apply_oauth(file: &SourceFile, app: &mut AppSpec, target: &mut Target<'_>) {
    const SCOPE_LIST: &str = "commaSeparatedOauthScopes";
    let fields = &file.root;
    let words = fields.list(SCOPE_LIST);
    for message in words.iter().filter_map(|word| SCOPES.refusal(word)) {
        target.problems.add(&file.path, fields.at_element(SCOPE_LIST), message);
    }
    app.scopes = wire_scopes(words.into_iter());
    let range = ["startIpAddress", "endIpAddress"];
    app.trusted_ip_ranges = ip_ranges(&file.path, fields, "trustedIpRanges", range, &mut target.problems);
    check_link(file, fields, target);
    let certificate = reference(fields, "clientAssertionCertificate");
    app.client_assertion_certificate = certificate.and_then(|pem| target.certificate(&file.path, pem));
}

/// `<org id>:<consumer id>`, written by the org that has the consumer; an app with a consumer of its own leaves it out
/// (Salesforce Help, "Deploy an External Client App with a New Global OAuth Settings File").
fn check_link(file: &SourceFile, fields: &Fields, target: &mut Target<'_>) {
    let Some((link, at)) = reference(fields, "oauthLink") else { return };
    let own = target.setup.org.id.get(..15);
    if link.split_once(':').is_none_or(|(org, _)| org.get(..15) != own) {
        target.problems.add(&file.path, at, format!("Invalid OAuth link: {link}"));
    }
}

fn apply_oauth_policies(file: &SourceFile, app: &mut AppSpec, target: &mut Target<'_>) {
    const SETS: &str = "commaSeparatedPermissionSet";
    const PROFILES: &str = "commaSeparatedProfile";
    let fields = &file.root;
    app.permission_sets = target.permission_sets(&file.path, SETS, list(fields, SETS));
    app.profiles = target.profiles(&file.path, PROFILES, list(fields, PROFILES));
    app.permitted_users = match fields.text("permittedUsersPolicyType") {
        Some("AdminApprovedPreAuthorized") => PermittedUsers::AdminApproved,
        _ => PermittedUsers::All,
    };
    app.ip_relaxation = ip_relaxation(fields.text("ipRelaxationPolicyType").unwrap_or_default());
    app.refresh_token_policy = refresh_token_policy(file, fields, target);
    apply_session(&file.path, fields, ["requiredSessionLevel", "sessionTimeoutInMinutes"], app, &mut target.problems);
    let custom = fields.text("namedUserJwtSessionTimeoutType") == Some("Custom");
    let life = minutes(
        &file.path,
        fields,
        "namedUserJwtTimeout",
        |minutes| JWT_MINUTES.contains(minutes),
        &mut target.problems,
    );
    app.named_user_jwt_minutes = life.filter(|_| custom);
}

fn refresh_token_policy(file: &SourceFile, fields: &Fields, target: &mut Target<'_>) -> RefreshTokenPolicy {
    let limit = match fields.text("refreshTokenPolicyType") {
        Some("SpecificLifetime") => RefreshTokenPolicy::LifetimeHours,
        Some("SpecificInactivity") => RefreshTokenPolicy::InactivityHours,
        Some("Zero") => return RefreshTokenPolicy::Zero,
        _ => return RefreshTokenPolicy::Infinite,
    };
    const PERIOD: &str = "refreshTokenValidityPeriod";
    const UNIT: &str = "refreshTokenValidityUnit";
    match (fields.number(PERIOD), fields.text(UNIT)) {
        (Some(period), Some(unit)) => match hours(period.into(), unit) {
            Some(hours) => return limit(hours),
            None => {
                let message = format!("Invalid refresh token validity: {period} {unit}");
                target.problems.add(&file.path, fields.at_element(PERIOD), message);
            }
        },
        _ => {
            for name in [PERIOD, UNIT].into_iter().filter(|name| !fields.mentions(name)) {
                target.problems.add(&file.path, fields.at(), format!("Required field is missing: {name}"));
            }
        }
    }
    RefreshTokenPolicy::Infinite
}

/// Blocked and uninstalled apps stay so: that is decided elsewhere.
fn apply_app_policies(file: &SourceFile, app: &mut AppSpec) {
    let off = |name| file.root.flag(name) == Some(false);
    let disabled = off("isEnabled") || off("isOauthPluginEnabled");
    app.state = match (app.state, disabled) {
        (AppState::Enabled | AppState::Disabled, true) => AppState::Disabled,
        (AppState::Enabled | AppState::Disabled, false) => AppState::Enabled,
        (state, _) => state,
    };
}
