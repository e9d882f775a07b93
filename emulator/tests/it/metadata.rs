//! Apps, permission sets and org switches that come from source-format folders.

mod refused;

use std::path::{Path, PathBuf};

use emulator::scenario::{
    AppKind, AppSpec, AppState, Distribution, IpRelaxation, PermittedUsers, RefreshTokenPolicy, Right, SessionLevel,
    Setup,
};
use emulator::{DeployError, Options, Scenario};
use serde_json::json;
use tempfile::TempDir;

use crate::client::{Acme, access_token};

const HEADER: &str = "externalClientApps/Acme_Sync.eca-meta.xml";
const GLOBAL: &str = "extlClntAppGlobalOauthSets/Acme_Sync_glbloauth.ecaGlblOauth-meta.xml";
const OAUTH: &str = "extlClntAppOauthSettings/Acme_Sync_oauth.ecaOauth-meta.xml";
const OAUTH_POLICIES: &str = "extlClntAppOauthPolicies/Acme_Sync_oauthPlcy.ecaOauthPlcy-meta.xml";
const APP_POLICIES: &str = "extlClntAppPolicies/Acme_Sync_plcy.ecaPlcy-meta.xml";
const PERMISSION_SET: &str = "permissionsets/Acme_Sync_Read.permissionset-meta.xml";
const CONNECTED_APP: &str = "connectedApps/Acme_Sync.connectedApp-meta.xml";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/metadata")
}

/// The files of an External Client App and a permission set.
fn external_client_app() -> PathBuf {
    fixtures().join("external-client-app/force-app/main/default")
}

/// The org of the fixtures, into which nothing is deployed yet. It knows the permission set by name, as the user does.
fn org() -> Scenario {
    let text = std::fs::read_to_string(fixtures().join("org.toml")).unwrap();
    let text = text.replace("metadata = [\"external-client-app\"]\n", "").replace("permission_sets = [", "# [");
    Scenario::from_toml(&text).unwrap()
}

fn org_that_creates_connected_apps() -> Scenario {
    let mut org = org();
    org.org.connected_app_creation = true;
    org
}

/// A copy of a folder of fixtures, to be changed.
struct Folder(TempDir);

impl Folder {
    fn copy(of: &Path) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for entry in std::fs::read_dir(of).unwrap() {
            let directory = entry.unwrap();
            for file in std::fs::read_dir(directory.path()).unwrap() {
                let file = file.unwrap();
                let name = Path::new(&directory.file_name()).join(file.file_name());
                folder.write(name.to_str().unwrap(), &std::fs::read_to_string(file.path()).unwrap());
            }
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn remove(&self, file: &str) {
        std::fs::remove_file(self.path().join(file)).unwrap();
    }

    fn rename(&self, file: &str, to: &str) {
        let text = std::fs::read_to_string(self.path().join(file)).unwrap();
        self.remove(file);
        self.write(to, &text);
    }

    fn replace(&self, file: &str, find: &str, put: &str) {
        let text = std::fs::read_to_string(self.path().join(file)).unwrap();
        assert!(text.contains(find), "{file} has no {find}");
        self.write(file, &text.replacen(find, put, 1));
    }
}

fn problems(error: &DeployError) -> Vec<String> {
    error.problems().iter().map(ToString::to_string).collect()
}

fn only_app(org: &Scenario) -> &AppSpec {
    let [app] = org.apps.as_slice() else { panic!("{:?}", org.apps) };
    app
}

#[tokio::test]
async fn an_app_from_a_folder_signs_in_and_reads_what_its_permission_set_shows() {
    let scenario = Scenario::from_path(&fixtures().join("org.toml")).unwrap();
    let (key, secret) = {
        let app = only_app(&scenario);
        (app.consumer_key.clone(), app.consumer_secret.expose().to_owned())
    };
    let acme = Acme::start_in(scenario, Options::default()).await;
    let answer = acme.client_credentials(&key, &secret).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["scope"], "api");
    let query = "/services/data/v60.0/query?q=SELECT+Id,Industry+FROM+Account";
    let rows = acme.get(query, &access_token(&answer)).await;
    assert_eq!((rows.status, &rows.json()["totalSize"]), (200, &3.into()), "{}", rows.text);
    let hidden = acme.get("/services/data/v60.0/query?q=SELECT+Id+FROM+Contact", &access_token(&answer)).await;
    assert_eq!(hidden.code(), "INVALID_TYPE", "{}", hidden.text);
}

#[test]
fn every_file_of_an_external_client_app_has_its_effect() {
    let mut org = org();
    org.deploy(&fixtures().join("external-client-app")).unwrap();
    let app = only_app(&org);
    assert_eq!((app.name.as_str(), app.kind), ("Acme Sync", AppKind::ExternalClientApp));
    assert_eq!((app.state, app.distribution), (AppState::Enabled, Distribution::Local));
    assert_eq!(app.scopes, ["api", "refresh_token"]);
    assert_eq!(app.callback_urls, ["https://sync.example.com/oauth/callback"]);
    let run_as = app.client_credentials.as_ref().and_then(|flow| flow.run_as.as_deref());
    assert_eq!(run_as, Some("sync.bot@example.com"));
    assert!(app.refresh_token_rotation && app.secret_required_for_refresh && app.secret_required_for_web_server);
    assert_eq!((app.pkce_required, app.device_flow, app.named_user_jwt), (Some(true), false, false));
    assert_eq!(app.refresh_token_policy, RefreshTokenPolicy::InactivityHours(30 * 24));
    assert_eq!((app.permitted_users, app.ip_relaxation), (PermittedUsers::AdminApproved, IpRelaxation::Enforce));
    assert_eq!(
        (app.permission_sets.as_slice(), app.required_session_level),
        (["Acme_Sync_Read".to_owned()].as_slice(), SessionLevel::Standard)
    );
    let read = &org.permission_sets["Acme_Sync_Read"];
    assert!(read.api_enabled && read.objects["Account"].iter().eq([&Right::Read]));
    assert!(read.shown_fields.iter().any(|pattern| pattern.matches("Account.Industry")));
}

#[test]
fn keys_and_secrets_that_a_folder_leaves_out_look_real_and_stay_the_same() {
    let deployed = |seed: u64| {
        let mut org = org();
        org.seed = seed;
        org.deploy(&external_client_app()).unwrap();
        (only_app(&org).consumer_key.clone(), only_app(&org).consumer_secret.expose().to_owned())
    };
    let (key, secret) = deployed(1);
    assert!(key.starts_with("3MVG9") && key.len() == 85, "{key}");
    assert!(secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(deployed(1), (key.clone(), secret.clone()));
    let other = deployed(2);
    assert!(other.0 != key && other.1 != secret);
}

#[test]
fn a_connected_app_from_a_folder_has_what_its_file_says() {
    let mut org = org_that_creates_connected_apps();
    org.deploy(&fixtures().join("connected-app")).unwrap();
    let app = only_app(&org);
    assert_eq!((app.name.as_str(), app.kind), ("Acme Sync", AppKind::ConnectedApp));
    assert_eq!(app.scopes, ["api", "refresh_token"]);
    assert_eq!(app.refresh_token_policy, RefreshTokenPolicy::InactivityHours(30 * 24));
    assert_eq!((app.permitted_users, app.pkce_required), (PermittedUsers::AdminApproved, Some(true)));
    assert_eq!(app.permission_sets, ["Acme_Sync_Read"]);
    let run_as = app.client_credentials.as_ref().and_then(|flow| flow.run_as.as_deref());
    assert_eq!(run_as, Some("sync.bot@example.com"));
}

#[test]
fn a_connected_app_that_exists_can_be_edited_where_none_can_be_created() {
    let mut org = org_that_creates_connected_apps();
    org.deploy(&fixtures().join("connected-app")).unwrap();
    let key = only_app(&org).consumer_key.clone();
    org.org.connected_app_creation = false;
    let folder = Folder::copy(&fixtures().join("connected-app"));
    folder.replace(CONNECTED_APP, "specific_inactivity:30:DAYS", "zero");
    folder.replace(CONNECTED_APP, "ENFORCE", "BYPASS");
    org.deploy(folder.path()).unwrap();
    let app = only_app(&org);
    assert_eq!((&app.consumer_key, app.refresh_token_policy), (&key, RefreshTokenPolicy::Zero));
    assert_eq!(app.ip_relaxation, IpRelaxation::Bypass);
}

#[test]
fn policies_can_be_deployed_by_themselves_to_an_app_of_the_org() {
    let mut org = org();
    org.deploy(&external_client_app()).unwrap();
    let before = only_app(&org).clone();
    let folder = Folder::copy(&external_client_app());
    for file in [HEADER, GLOBAL, OAUTH, PERMISSION_SET] {
        folder.remove(file);
    }
    folder.replace(OAUTH_POLICIES, "SpecificInactivity", "SpecificLifetime");
    folder.replace(OAUTH_POLICIES, "Enforce", "Enforce_RelaxRefresh");
    folder.replace(APP_POLICIES, "<isEnabled>true", "<isEnabled>false");
    org.deploy(folder.path()).unwrap();
    let app = only_app(&org);
    assert_eq!(app.refresh_token_policy, RefreshTokenPolicy::LifetimeHours(30 * 24));
    assert_eq!((app.ip_relaxation, app.state), (IpRelaxation::EnforceRelaxRefresh, AppState::Disabled));
    assert_eq!((&app.consumer_key, &app.scopes), (&before.consumer_key, &before.scopes));
    assert!(app.client_credentials.is_some());
}

#[test]
fn one_of_the_two_switches_alone_leaves_the_client_credentials_flow_off() {
    for file in [GLOBAL, OAUTH_POLICIES] {
        let folder = Folder::copy(&external_client_app());
        folder.replace(file, "<isClientCredentialsFlowEnabled>true", "<isClientCredentialsFlowEnabled>false");
        let mut org = org();
        org.deploy(folder.path()).unwrap();
        assert!(only_app(&org).client_credentials.is_none(), "{file}");
    }
}

#[test]
fn a_certificate_in_the_global_settings_is_the_apps() {
    const PEM: &str = include_str!("../../src/jwt/certificates/version3.pem");
    let folder = Folder::copy(&external_client_app());
    let owner = "<externalClientApplication>";
    folder.replace(GLOBAL, owner, &format!("<certificate>{PEM}</certificate>{owner}"));
    let mut org = org();
    org.deploy(folder.path()).unwrap();
    assert_eq!(only_app(&org).certificate.as_deref(), Some(PEM.trim()));
}

#[test]
fn settings_files_turn_the_switches_of_the_org() {
    let mut org = org();
    org.deploy(&fixtures().join("settings")).unwrap();
    let org = &org.org;
    assert!(org.username_password_flow && !org.user_agent_flow && org.pkce_required);
    assert!(org.api_access_control && !org.generic_login && !org.generic_soap_login);
}

#[test]
fn a_project_is_read_from_its_package_directories_only() {
    let folder = Folder::copy(&external_client_app());
    folder.write("elsewhere/connectedApps/Broken.connectedApp-meta.xml", "<broken");
    folder.write("sfdx-project.json", r#"{"packageDirectories": [{"path": "."}]}"#);
    assert!(org().deploy(folder.path()).is_err());
    let project = tempfile::tempdir().unwrap();
    std::fs::rename(folder.path(), project.path().join("apps")).unwrap();
    let write = |text: &str| std::fs::write(project.path().join("sfdx-project.json"), text).unwrap();
    write(r#"{"packageDirectories": [{"path": "apps/externalClientApps", "default": true}]}"#);
    org().deploy(project.path()).unwrap();
    for wrong in ["{", "{}", r#"{"packageDirectories": []}"#, r#"{"packageDirectories": [{"path": "absent"}]}"#] {
        write(wrong);
        assert!(org().deploy(project.path()).is_err(), "{wrong}");
    }
}

#[test]
fn files_of_other_types_and_hidden_files_are_passed_over() {
    let folder = Folder::copy(&external_client_app());
    folder.write("classes/Sync.cls", "public class Sync {}");
    folder.write("classes/Sync.cls-meta.xml", "<ApexClass/>");
    folder.write("settings/Account.settings-meta.xml", "<AccountSettings/>");
    folder.write("externalClientApps/.DS_Store", "");
    folder.write("objects/Account/fields/Tier__c.field-meta.xml", "<CustomField/>");
    org().deploy(folder.path()).unwrap();
}

#[test]
fn a_refused_folder_changes_nothing_and_the_refusal_names_every_problem() {
    let folder = Folder::copy(&external_client_app());
    folder.replace(OAUTH, "Api, RefreshToken", "api, refresh_token");
    folder.replace(GLOBAL, "https://", "http://");
    folder.write("settings/OauthOidc.settings-meta.xml", &settings("<isPkceRequired>true</isPkceRequired>"));
    let mut org = org();
    let error = org.deploy(folder.path()).unwrap_err();
    assert_eq!(error.problems().len(), 3, "{error}");
    assert!(error.problems().iter().all(|problem| error.to_string().contains(&problem.to_string())));
    assert!(org.apps.is_empty() && org.permission_sets.is_empty() && !org.org.pkce_required);
}

#[test]
fn a_scenario_that_names_a_refused_folder_says_what_is_wrong_with_it() {
    let folder = Folder::copy(&external_client_app());
    folder.replace(PERMISSION_SET, "<name>ApiEnabled", "<name>ApiOnlyUser");
    let text = std::fs::read_to_string(fixtures().join("org.toml")).unwrap();
    std::fs::write(folder.path().join("org.toml"), text.replace("\"external-client-app\"", "\".\"")).unwrap();
    let error = Scenario::from_path(&folder.path().join("org.toml")).unwrap_err();
    assert!(error.to_string().contains("Unknown user permission: ApiOnlyUser"), "{error}");
}

fn settings(switches: &str) -> String {
    format!("<OauthOidcSettings xmlns=\"http://soap.sforce.com/2006/04/metadata\">{switches}</OauthOidcSettings>")
}

#[tokio::test]
async fn a_folder_is_deployed_into_a_running_org_and_is_in_effect_after_the_propagation_delay() {
    let mut scenario = org();
    scenario.org.propagation_minutes = 5;
    let acme = Acme::start_in(scenario, Options::default()).await;
    let control = acme.emulator.control();
    control.deploy(&external_client_app()).unwrap();
    let app = control.setup().apps[0].clone();
    let (key, secret) = (app.consumer_key.as_str(), app.consumer_secret.expose());
    assert_eq!(acme.client_credentials(key, secret).await.oauth_error().0, "invalid_client_id");
    control.advance(std::time::Duration::from_secs(6 * 60));
    // The permission set is there and assigned to nobody.
    assert_eq!(acme.client_credentials(key, secret).await.oauth_error().0, "invalid_app_access");
    let assign = |setup: &mut Setup| setup.users[0].permission_sets.push("Acme_Sync_Read".to_owned());
    control.change_setup(assign).unwrap();
    control.advance(std::time::Duration::from_secs(6 * 60));
    let answer = acme.client_credentials(key, secret).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn the_control_interface_deploys_a_folder_and_says_what_is_wrong_with_it() {
    let acme = Acme::start_in(org(), Options::default()).await;
    let folder = Folder::copy(&external_client_app());
    let body = json!({"folder": folder.path()});
    let deploy = || acme.send(reqwest::Method::POST, "/__emulator/deploy", "", &body);
    folder.replace(GLOBAL, "https://", "http://");
    let refused = deploy().await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("ecaGlblOauth-meta.xml:3:5: Callback URL"), "{}", refused.text);
    assert!(acme.emulator.control().setup().apps.is_empty());
    folder.replace(GLOBAL, "http://sync", "https://sync");
    assert_eq!(deploy().await.status, 204);
    assert_eq!(acme.emulator.control().setup().apps.len(), 1);
}
