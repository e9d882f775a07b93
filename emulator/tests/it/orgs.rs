//! Several orgs in one process: sandboxes of one, and orgs that have nothing to do with each other.

use std::collections::BTreeSet;

use emulator::{Emulator, Options, Scenario};
use reqwest::Client;
use serde_json::Value;

use crate::client::{Seen, access_token, tls_client};

const ACME_APP: (&str, &str) = ("3MVG9.acme.connected", "acme-connected-secret");
const TESORIO: (&str, &str) = ("3MVG9.cascade.tesorio", "cascade-tesorio-secret");
const LOCAL_APP: (&str, &str) = ("3MVG9.acme.integration", "acme-integration-secret");
const ACME_ADMIN: (&str, &str) = ("admin@acme.example", "correct-horseTokenOfAdmin0000000000000");
const SANDBOX_ADMIN: (&str, &str) = ("admin@acme.example.uat", ACME_ADMIN.1);
const TESORIO_USER: (&str, &str) =
    ("tesorio@cascade-freight.example", "cascade-tesorio-passwordTesorioSecurityToken000000");
const CASCADE_ADMIN: (&str, &str) =
    ("lena@cascade-freight.example", "cascade-admin-passwordLenaSecurityToken000000000");
const ACME: &str = "acme.my.salesforce.com";
const SANDBOX: &str = "acme--uat.sandbox.my.salesforce.com";
const CASCADE: &str = "cascade-freight.my.salesforce.com";
const LOGIN: &str = "login.salesforce.com";
const TEST: &str = "test.salesforce.com";

/// Running orgs, and a client of their TLS listener.
struct Orgs {
    emulator: Emulator,
    http: Client,
}

impl Orgs {
    async fn start(scenarios: Vec<Scenario>) -> Self {
        let emulator = Emulator::start_all(scenarios, Options::default()).await.unwrap();
        let http = tls_client(&emulator);
        Self { emulator, http }
    }

    /// Acme, its sandbox `uat`, and Cascade Freight.
    async fn three() -> Self {
        Self::start(vec![acme_with_sandbox(""), Scenario::builtin("g5-tesorio").unwrap()]).await
    }

    async fn token(&self, host: &str, app: (&str, &str), grant: &[(&str, &str)]) -> Seen {
        let own = [("client_id", app.0), ("client_secret", app.1)];
        let form: Vec<(&str, &str)> = own.iter().chain(grant).copied().collect();
        let request = self.http.post(format!("https://{host}/services/oauth2/token")).form(&form);
        Seen::of(request.send().await.unwrap()).await
    }

    async fn by_password(&self, host: &str, app: (&str, &str), user: (&str, &str)) -> Seen {
        self.token(host, app, &[("grant_type", "password"), ("username", user.0), ("password", user.1)]).await
    }

    async fn run_as(&self, host: &str, app: (&str, &str)) -> Seen {
        self.token(host, app, &[("grant_type", "client_credentials")]).await
    }

    async fn get(&self, host: &str, path: &str, token: &str) -> Seen {
        let request = self.http.get(format!("https://{host}{path}")).bearer_auth(token);
        Seen::of(request.send().await.unwrap()).await
    }

    async fn records(&self, host: &str, token: &str, soql: &str) -> Vec<Value> {
        let path = format!("/services/data/v66.0/query?q={}", soql.replace(' ', "+"));
        let answer = self.get(host, &path, token).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["records"].as_array().unwrap().clone()
    }
}

/// Acme with a sandbox `uat`; more keys of the sandbox may follow.
fn acme_with_sandbox(more: &str) -> Scenario {
    let sandbox = format!("\n[[sandboxes]]\nname = \"uat\"\nid = \"00DgL000000AUAT\"\n{more}");
    Scenario::from_toml(&(include_str!("../../scenarios/acme.toml").to_owned() + &sandbox)).unwrap()
}

fn error(error: &str, description: &str) -> (String, String) {
    (error.to_owned(), description.to_owned())
}

fn text(record: &Value, field: &str) -> String {
    record[field].as_str().unwrap_or_else(|| panic!("{record} has no {field}")).to_owned()
}

#[tokio::test]
async fn a_sandbox_is_a_copy_with_the_same_record_ids_another_org_id_and_other_user_names() {
    let orgs = Orgs::three().await;
    let production = access_token(&orgs.by_password(ACME, ACME_APP, ACME_ADMIN).await);
    let sandbox = access_token(&orgs.by_password(SANDBOX, ACME_APP, SANDBOX_ADMIN).await);
    for soql in ["SELECT Id, Name FROM Account", "SELECT Id, Email FROM Contact LIMIT 50", "SELECT Id FROM User"] {
        let ids = |records: Vec<Value>| records.iter().map(|record| text(record, "Id")).collect::<Vec<_>>();
        let copied = ids(orgs.records(SANDBOX, &sandbox, soql).await);
        assert_eq!(copied, ids(orgs.records(ACME, &production, soql).await), "{soql}");
    }
    let org = &orgs.records(SANDBOX, &sandbox, "SELECT Id, IsSandbox, Name FROM Organization").await[0];
    assert_eq!((text(org, "Id").get(..15), &org["IsSandbox"]), (Some("00DgL000000AUAT"), &Value::Bool(true)));
    let users = orgs.records(SANDBOX, &sandbox, "SELECT Username, Email FROM User").await;
    let admin = users.iter().find(|user| text(user, "Username") == SANDBOX_ADMIN.0).unwrap();
    assert_eq!(text(admin, "Email"), "admin@acme.example.invalid");
}

#[tokio::test]
async fn what_is_written_in_a_sandbox_stays_there() {
    let orgs = Orgs::three().await;
    let sandbox = access_token(&orgs.by_password(SANDBOX, ACME_APP, SANDBOX_ADMIN).await);
    let production = access_token(&orgs.by_password(ACME, ACME_APP, ACME_ADMIN).await);
    let id = text(&orgs.records(SANDBOX, &sandbox, "SELECT Id FROM Account LIMIT 1").await[0], "Id");
    let url = format!("https://{SANDBOX}/services/data/v66.0/sobjects/Account/{id}");
    let change = orgs.http.patch(url).bearer_auth(&sandbox).json(&serde_json::json!({"Name": "Renamed in UAT"}));
    assert_eq!(change.send().await.unwrap().status(), 204);
    let name = format!("SELECT Name FROM Account WHERE Id = '{id}'");
    assert_eq!(text(&orgs.records(SANDBOX, &sandbox, &name).await[0], "Name"), "Renamed in UAT");
    assert_ne!(text(&orgs.records(ACME, &production, &name).await[0], "Name"), "Renamed in UAT");
}

#[tokio::test]
async fn a_token_opens_the_org_that_issued_it_and_no_other() {
    let orgs = Orgs::three().await;
    let production = access_token(&orgs.by_password(ACME, ACME_APP, ACME_ADMIN).await);
    let sandbox = access_token(&orgs.by_password(SANDBOX, ACME_APP, SANDBOX_ADMIN).await);
    for (host, token) in [(SANDBOX, &production), (ACME, &sandbox), (CASCADE, &production)] {
        let answer = orgs.get(host, "/services/data/v66.0/limits", token).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "INVALID_SESSION_ID"), "{host}");
    }
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "5Aep.acme.connected.admin")];
    assert_eq!(orgs.token(ACME, ACME_APP, &refresh).await.status, 200);
    let elsewhere = orgs.token(SANDBOX, ACME_APP, &refresh).await;
    assert_eq!(elsewhere.oauth_error(), error("invalid_grant", "expired access/refresh token"));
}

#[tokio::test]
async fn the_generic_hosts_find_the_org_by_the_user_and_refuse_users_of_the_other_kind() {
    let orgs = Orgs::three().await;
    let failure = error("invalid_grant", "authentication failure");
    for (host, app, user, instance) in [
        (LOGIN, ACME_APP, ACME_ADMIN, Some(ACME)),
        (LOGIN, TESORIO, TESORIO_USER, Some(CASCADE)),
        (TEST, ACME_APP, SANDBOX_ADMIN, Some(SANDBOX)),
        (LOGIN, ACME_APP, SANDBOX_ADMIN, None),
        (TEST, ACME_APP, ACME_ADMIN, None),
        (ACME, ACME_APP, SANDBOX_ADMIN, None),
        (SANDBOX, ACME_APP, ACME_ADMIN, None),
        (LOGIN, ACME_APP, ("nobody@acme.example", "x"), None),
    ] {
        let answer = orgs.by_password(host, app, user).await;
        match instance {
            Some(instance) => assert_eq!(text(&answer.json(), "instance_url"), format!("https://{instance}")),
            None => assert_eq!((answer.status, answer.oauth_error()), (400, failure.clone()), "{host} {}", user.0),
        }
    }
}

#[tokio::test]
async fn the_generic_hosts_find_the_org_by_the_token() {
    let orgs = Orgs::three().await;
    let acme = orgs.by_password(LOGIN, ACME_APP, ACME_ADMIN).await;
    let cascade = orgs.by_password(LOGIN, TESORIO, TESORIO_USER).await;
    let sandbox = orgs.by_password(TEST, ACME_APP, SANDBOX_ADMIN).await;
    for (host, answer, user) in
        [(LOGIN, &acme, ACME_ADMIN), (LOGIN, &cascade, TESORIO_USER), (TEST, &sandbox, SANDBOX_ADMIN)]
    {
        let token = access_token(answer);
        let who = orgs.get(host, "/services/oauth2/userinfo", &token).await;
        assert_eq!(text(&who.json(), "preferred_username"), user.0);
        let id = text(&answer.json(), "id");
        assert!(id.starts_with(&format!("https://{host}/id/00D")), "{id}");
        let identity = Seen::of(orgs.http.get(&id).bearer_auth(&token).send().await.unwrap()).await;
        assert_eq!(text(&identity.json(), "username"), user.0);
    }
    let token = access_token(&cascade);
    let revoke = orgs.http.post(format!("https://{LOGIN}/services/oauth2/revoke")).form(&[("token", &token)]);
    assert_eq!(revoke.send().await.unwrap().status(), 200);
    assert_eq!(orgs.get(CASCADE, "/services/data/v66.0/limits", &token).await.status, 401);
    assert_eq!(orgs.get(ACME, "/services/data/v66.0/limits", &access_token(&acme)).await.status, 200);
}

#[tokio::test]
async fn a_refresh_token_is_redeemed_at_the_generic_host_of_its_org() {
    let orgs = Orgs::three().await;
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "5Aep.acme.connected.admin")];
    let answer = orgs.token(LOGIN, ACME_APP, &refresh).await;
    assert_eq!(text(&answer.json(), "instance_url"), format!("https://{ACME}"));
    let answer = orgs.token(TEST, ACME_APP, &refresh).await;
    assert_eq!(answer.oauth_error(), error("invalid_grant", "expired access/refresh token"));
}

#[tokio::test]
async fn an_app_that_is_copied_to_a_sandbox_runs_there_as_the_copied_user() {
    let orgs = Orgs::three().await;
    for (host, user) in [(ACME, "integration@acme.example"), (SANDBOX, "integration@acme.example.uat")] {
        let token = access_token(&orgs.run_as(host, LOCAL_APP).await);
        let who = orgs.get(host, "/services/oauth2/userinfo", &token).await;
        assert_eq!(text(&who.json(), "preferred_username"), user);
    }
}

#[tokio::test]
async fn a_local_app_is_not_installed_in_any_other_org() {
    let own = Scenario::builtin("g5-tesorio").unwrap();
    let orgs = Orgs::start(vec![acme_with_sandbox("copies_apps = false"), own]).await;
    for host in [SANDBOX, CASCADE] {
        let answer = orgs.run_as(host, LOCAL_APP).await;
        let expected = error("app_not_found", "External client app is not installed in this org");
        assert_eq!((answer.status, answer.oauth_error()), (400, expected), "{host}");
    }
    assert_eq!(orgs.run_as(ACME, LOCAL_APP).await.status, 200);
    let nowhere = orgs.run_as(CASCADE, ("3MVG9.of.nobody", "x")).await;
    assert_eq!(nowhere.oauth_error(), error("invalid_client_id", "client identifier invalid"));
}

#[tokio::test]
async fn an_uninstalled_connected_app_of_another_org_is_for_those_who_may_approve_it() {
    let orgs = Orgs::three().await;
    let answer = orgs.by_password(LOGIN, ACME_APP, TESORIO_USER).await;
    assert_eq!((answer.status, answer.oauth_error()), (400, error("invalid_client", "app must be installed into org")));
    let answer = orgs.by_password(LOGIN, ACME_APP, CASCADE_ADMIN).await;
    assert_eq!(text(&answer.json(), "instance_url"), format!("https://{CASCADE}"));
}

#[tokio::test]
async fn before_the_rule_for_uninstalled_apps_a_connected_app_works_across_orgs() {
    let mut cascade = Scenario::builtin("g5-tesorio").unwrap();
    cascade.org.uninstalled_apps_refused = false;
    let orgs = Orgs::start(vec![acme_with_sandbox(""), cascade]).await;
    let answer = orgs.by_password(CASCADE, ACME_APP, TESORIO_USER).await;
    let token = access_token(&answer);
    assert!(!orgs.records(CASCADE, &token, "SELECT Id FROM Account LIMIT 1").await.is_empty());
}

#[tokio::test]
async fn every_org_has_its_host_names_and_its_own_control() {
    let orgs = Orgs::three().await;
    let hosts: BTreeSet<String> = orgs.emulator.hosts().into_iter().collect();
    for host in [ACME, SANDBOX, CASCADE, LOGIN, TEST, "acme--uat.sandbox.lightning.force.com"] {
        assert!(hosts.contains(host), "{host}");
    }
    assert_eq!(orgs.emulator.hosts()[0], ACME);
    orgs.by_password(TEST, ACME_APP, SANDBOX_ADMIN).await;
    let control = orgs.emulator.control();
    let logins = |org: &str| control.org(org).unwrap().login_history().len();
    assert_eq!((logins("acme"), logins("acme--uat"), logins("cascade-freight")), (0, 1, 0));
    assert!(control.org("harbor-credit").is_none());
    control.org("acme--uat").unwrap().change_setup(|setup| setup.org.username_password_flow = false).unwrap();
    assert_eq!(orgs.by_password(TEST, ACME_APP, SANDBOX_ADMIN).await.status, 400);
    assert_eq!(orgs.by_password(LOGIN, ACME_APP, ACME_ADMIN).await.status, 200);
}

#[tokio::test]
async fn plain_http_stands_for_the_first_org_and_names_the_others_below_localhost() {
    let orgs = Orgs::three().await;
    let http = Client::builder().no_proxy().build().unwrap();
    let base = orgs.emulator.http_url();
    let port = base.rsplit_once(':').unwrap().1;
    for (host, user, instance) in [
        (None, ACME_ADMIN, base.to_owned()),
        (Some("acme--uat.localhost"), SANDBOX_ADMIN, format!("http://acme--uat.localhost:{port}")),
        (Some("test.localhost"), SANDBOX_ADMIN, format!("http://acme--uat.localhost:{port}")),
    ] {
        let form = [
            ("grant_type", "password"),
            ("client_id", ACME_APP.0),
            ("client_secret", ACME_APP.1),
            ("username", user.0),
            ("password", user.1),
        ];
        let mut request = http.post(format!("{base}/services/oauth2/token")).form(&form);
        if let Some(host) = host {
            request = request.header("host", format!("{host}:{port}"));
        }
        let answer = Seen::of(request.send().await.unwrap()).await;
        assert_eq!(text(&answer.json(), "instance_url"), instance);
    }
}

#[tokio::test]
async fn orgs_that_share_an_id_a_my_domain_or_a_user_are_refused_with_the_reason() {
    let acme = || Scenario::builtin("acme").unwrap();
    let cascade = |change: fn(&mut Scenario)| {
        let mut scenario = Scenario::builtin("g5-tesorio").unwrap();
        change(&mut scenario);
        scenario
    };
    for (other, shared) in [
        (cascade(|scenario| scenario.org.id = "00DgL000000ACMEAA0".to_owned()), "00DgL000000ACME"),
        (cascade(|scenario| scenario.org.my_domain = "acme".to_owned()), "acme"),
        (cascade(|scenario| scenario.users[0].username = "Admin@Acme.example".to_owned()), "admin@acme.example"),
    ] {
        let refusal = Emulator::start_all(vec![acme(), other], Options::default()).await.err().unwrap().to_string();
        assert!(refusal.contains("two orgs") && refusal.contains(&format!("{shared:?}")), "{refusal}");
    }
    let twice = Emulator::start_all(vec![acme(), acme()], Options::default()).await;
    assert!(twice.err().unwrap().to_string().contains("two orgs"));
    assert!(Emulator::start_all(Vec::new(), Options::default()).await.is_err());
}

/// The records of an object that anybody wrote, by id.
async fn names(orgs: &Orgs, host: &str, token: &str) -> Vec<(String, String)> {
    let records = orgs.records(host, token, "SELECT Id, Name FROM Account ORDER BY Id").await;
    records.iter().map(|record| (text(record, "Id"), text(record, "Name"))).collect()
}

#[tokio::test]
async fn a_refreshed_sandbox_is_another_org_at_the_same_host_with_the_records_that_production_has_now() {
    let orgs = Orgs::three().await;
    let before = access_token(&orgs.by_password(SANDBOX, ACME_APP, SANDBOX_ADMIN).await);
    let production = access_token(&orgs.by_password(ACME, ACME_APP, ACME_ADMIN).await);
    let rename = |host: &str, id: &str, token: &str, name: &str| {
        let url = format!("https://{host}/services/data/v66.0/sobjects/Account/{id}");
        orgs.http.patch(url).bearer_auth(token).json(&serde_json::json!({"Name": name})).send()
    };
    let ids: Vec<String> = names(&orgs, ACME, &production).await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(rename(SANDBOX, &ids[0], &before, "Tried in UAT").await.unwrap().status(), 204);
    assert_eq!(rename(ACME, &ids[1], &production, "Renamed since").await.unwrap().status(), 204);

    let control = orgs.emulator.control();
    let refreshed = control.org("acme--uat").unwrap().refresh_sandbox(None).unwrap();
    assert_ne!(refreshed.org_id(), "00DgL000000AUATUA4");
    assert_eq!(control.org("acme--uat").unwrap().org_id(), refreshed.org_id());

    let ended = orgs.get(SANDBOX, "/services/data/v66.0/limits", &before).await;
    assert_eq!((ended.status, ended.code().as_str()), (401, "INVALID_SESSION_ID"));
    let after = access_token(&orgs.by_password(SANDBOX, ACME_APP, SANDBOX_ADMIN).await);
    let copied = names(&orgs, SANDBOX, &after).await;
    assert_eq!(copied, names(&orgs, ACME, &production).await);
    assert!(copied.iter().all(|(_, name)| name != "Tried in UAT"));
    let org = &orgs.records(SANDBOX, &after, "SELECT Id, IsSandbox FROM Organization").await;
    assert_eq!((org.len(), text(&org[0], "Id"), &org[0]["IsSandbox"]), (1, refreshed.org_id(), &Value::Bool(true)));
    let who = orgs.get(SANDBOX, "/services/oauth2/userinfo", &after).await.json();
    assert_eq!(text(&who, "organization_id"), refreshed.org_id());
    let told = orgs.get(SANDBOX, "/.well-known/auth-configuration", "").await.json();
    assert_eq!(text(&told, "OrgId"), refreshed.org_id());
    assert_eq!(rename(SANDBOX, &ids[2], &after, "Tried again").await.unwrap().status(), 204);
    assert!(names(&orgs, ACME, &production).await.iter().all(|(_, name)| name != "Tried again"));
}

#[tokio::test]
async fn a_refresh_by_the_control_interface_ends_grants_and_refuses_what_is_no_sandbox() {
    let orgs = Orgs::three().await;
    let base = orgs.emulator.http_url();
    let http = Client::builder().no_proxy().build().unwrap();
    let refresh =
        |org: &str, body: &str| http.post(format!("{base}/__emulator/orgs/{org}/refresh")).body(body.to_owned()).send();
    for (org, body) in [("acme", ""), ("cascade-freight", ""), ("acme--uat", r#"{"id": "00DgL000000ACME"}"#)] {
        assert_eq!(refresh(org, body).await.unwrap().status(), 400, "{org} {body}");
    }
    let same = access_token(&orgs.run_as(SANDBOX, LOCAL_APP).await);
    let answer = refresh("acme--uat", r#"{"id": "00DgL000000UAT2"}"#).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("00DgL000000UAT2"));
    assert_eq!(orgs.get(SANDBOX, "/services/data/v66.0/limits", &same).await.status, 401);
    let other = access_token(&orgs.run_as(SANDBOX, LOCAL_APP).await);
    let who = orgs.get(SANDBOX, "/services/oauth2/userinfo", &other).await.json();
    assert!(text(&who, "organization_id").starts_with("00DgL000000UAT2"));
    assert_eq!(text(&who, "preferred_username"), "integration@acme.example.uat");
}
