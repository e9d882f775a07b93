//! The metadata types that are known, with their folders, file suffixes and elements.
//!
//! Sources: metadata registry of the Salesforce CLI (folders and suffixes); Metadata API developer guide and WSDL, v66
//! (elements). Elements written as `passed` are known to Salesforce and mean nothing here.

mod client_apps;
mod connected_app;
mod permission_set;
mod settings;

pub(super) use client_apps::{SCOPES, wire_scope};

use super::shape::Shape;

/// Ends the name of every file in source format.
pub(super) const SOURCE_SUFFIX: &str = "-meta.xml";

/// What a file is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Header,
    GlobalOauth,
    Oauth,
    OauthPolicies,
    AppPolicies,
    ConnectedApp,
    PermissionSet,
    Settings(SettingsRole),
    /// Takes no part in signing in.
    Passed,
}

/// Which of the org's switches a settings file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SettingsRole {
    OauthOidc,
    ConnectedApp,
    MyDomain,
}

/// A type whose components are the files of one folder.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) folder: &'static str,
    /// With its dot.
    pub(super) suffix: &'static str,
    pub(super) shape: &'static Shape,
    pub(super) role: Role,
}

const fn registered(folder: &'static str, suffix: &'static str, shape: &'static Shape, role: Role) -> Registered {
    Registered { folder, suffix, shape, role }
}

/// A type of which only the root element is looked at.
const fn opaque(name: &'static str) -> Shape {
    Shape { name, elements: &[], open: true }
}

/// Every type with a folder of its own.
pub(super) const REGISTRY: [Registered; 18] = [
    registered("externalClientApps", ".eca", &client_apps::EXTERNAL_CLIENT_APPLICATION, Role::Header),
    registered("extlClntAppGlobalOauthSets", ".ecaGlblOauth", &client_apps::GLOBAL_OAUTH_SETTINGS, Role::GlobalOauth),
    registered("extlClntAppOauthSettings", ".ecaOauth", &client_apps::OAUTH_SETTINGS, Role::Oauth),
    registered("extlClntAppOauthPolicies", ".ecaOauthPlcy", &client_apps::OAUTH_POLICIES, Role::OauthPolicies),
    registered("extlClntAppPolicies", ".ecaPlcy", &client_apps::APP_POLICIES, Role::AppPolicies),
    registered("connectedApps", ".connectedApp", &connected_app::CONNECTED_APP, Role::ConnectedApp),
    registered("permissionsets", ".permissionset", &permission_set::PERMISSION_SET, Role::PermissionSet),
    registered(
        "extlClntAppOauthSecuritySettings",
        ".ecaOauthSecurity",
        &opaque("ExtlClntAppOauthSecuritySettings"),
        Role::Passed,
    ),
    registered("extlClntAppMobileSettings", ".ecaMobile", &opaque("ExtlClntAppMobileSettings"), Role::Passed),
    registered(
        "extlClntAppMobilePolicies",
        ".ecaMobilePlcy",
        &opaque("ExtlClntAppMobileConfigurablePolicies"),
        Role::Passed,
    ),
    registered("extlClntAppPushSettings", ".ecaPush", &opaque("ExtlClntAppPushSettings"), Role::Passed),
    registered("extlClntAppPushPolicies", ".ecaPushPlcy", &opaque("ExtlClntAppPushConfigurablePolicies"), Role::Passed),
    registered(
        "extlClntAppNotifSettings",
        ".ecaNotifications",
        &opaque("ExtlClntAppNotificationSettings"),
        Role::Passed,
    ),
    registered(
        "extlClntAppSamlConfigurablePolicies",
        ".ecaSamlPlcy",
        &opaque("ExtlClntAppSamlConfigurablePolicies"),
        Role::Passed,
    ),
    registered("extlClntAppCanvasSettings", ".ecaCanvas", &opaque("ExtlClntAppCanvasSettings"), Role::Passed),
    registered("oauthcustomscopes", ".oauthcustomscope", &opaque("OauthCustomScope"), Role::Passed),
    registered(
        "oauthtokenexchangehandlers",
        ".oauthtokenexchangehandler",
        &opaque("OauthTokenExchangeHandler"),
        Role::Passed,
    ),
    registered("settings", ".settings", &opaque("Settings"), Role::Passed),
];

/// The settings files that are known, by base name; others are passed over unread.
pub(super) fn settings(name: &str) -> Option<(&'static Shape, Role)> {
    match name {
        "OauthOidc" => Some((&settings::OAUTH_OIDC, Role::Settings(SettingsRole::OauthOidc))),
        "ConnectedApp" => Some((&settings::CONNECTED_APP, Role::Settings(SettingsRole::ConnectedApp))),
        "MyDomain" => Some((&settings::MY_DOMAIN, Role::Settings(SettingsRole::MyDomain))),
        "ExternalClientApp" => Some((&settings::EXTERNAL_CLIENT_APP, Role::Passed)),
        _ => None,
    }
}
