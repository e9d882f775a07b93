//! Every error of the token endpoint that a scenario can lead to, each by a real request; and which host serves what.

use emulator::scenario::{
    AppSpec, AppState, OrgState, Permissions, RefreshTokenPolicy, SandboxSpec, SessionLevel, UserKind, UserSpec,
};
use emulator::{Effect, Fault, Scenario};
use serde_json::{Value, json};

use crate::client::{Acme, CONNECTED_KEY, CONNECTED_SECRET, KEY, SECRET, Seen};
use crate::jwt::{CERTIFICATE, assertion};
use crate::web_server::{challenge_of, code};

const INTEGRATION: &str = "integration@acme.example";
const ADMIN: &str = "admin@acme.example";
const ADMIN_PASSWORD: &str = "correct-horseTokenOfAdmin0000000000000";
const REFRESH: &str = "5Aep.acme.connected.admin";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const MY_DOMAIN: &str = "acme.my.salesforce.com";
/// Emulated time of the scenario.
const NOW: i64 = 1_795_251_600;

type Pairs<'a> = [(&'a str, &'a str)];
type Form = &'static [(&'static str, &'static str)];

const CREDENTIALS: Form = &[("grant_type", "client_credentials"), ("client_id", KEY), ("client_secret", SECRET)];
const PASSWORD: Form = &[
    ("grant_type", "password"),
    ("client_id", CONNECTED_KEY),
    ("client_secret", CONNECTED_SECRET),
    ("username", ADMIN),
    ("password", ADMIN_PASSWORD),
];
const REDEEM: Form = &[
    ("grant_type", "authorization_code"),
    ("client_id", CONNECTED_KEY),
    ("client_secret", CONNECTED_SECRET),
    ("redirect_uri", "https://app.example/callback"),
];
const RENEW: Form = &[
    ("grant_type", "refresh_token"),
    ("client_id", CONNECTED_KEY),
    ("client_secret", CONNECTED_SECRET),
    ("refresh_token", REFRESH),
];
const DEVICE_START: Form = &[("response_type", "device_code"), ("client_id", CONNECTED_KEY)];
const POLL: Form = &[("grant_type", "device"), ("client_id", CONNECTED_KEY), ("client_secret", CONNECTED_SECRET)];

/// A row of the catalogue and one way to it.
struct Row {
    error: &'static str,
    description: &'static str,
    /// What is different about the org `acme`.
    scenario: fn(&mut Scenario),
    ask: Ask,
}

/// What is sent.
enum Ask {
    Form(Form),
    /// A form with parameters in the place of its own, or besides them.
    With(Form, Form),
    At(&'static str, Form),
    /// The same form so many times; the last answer counts.
    Times(u32, Form),
    /// A code that Sam let the app have, redeemed so many times with these parameters.
    Code {
        times: u32,
        more: Form,
    },
    /// A device's code, polled so many times.
    Poll(u32),
    Jwt(fn(&mut Value)),
    Guest,
    /// A refresh while another one of the same token is unanswered.
    Busy,
    Basic(&'static str),
    Revoke(&'static str),
}

fn row(error: &'static str, description: &'static str, scenario: fn(&mut Scenario), ask: Ask) -> Row {
    Row { error, description, scenario, ask }
}

fn app<'a>(scenario: &'a mut Scenario, key: &str) -> &'a mut AppSpec {
    scenario.apps.iter_mut().find(|app| app.consumer_key == key).unwrap()
}

fn user<'a>(scenario: &'a mut Scenario, username: &str) -> &'a mut UserSpec {
    scenario.users.iter_mut().find(|user| user.username == username).unwrap()
}

fn profile_of<'a>(scenario: &'a mut Scenario, username: &str) -> &'a mut Permissions {
    let profile = user(scenario, username).profile.clone();
    scenario.profiles.get_mut(&profile).unwrap()
}

fn as_it_is(_: &mut Scenario) {}

/// Both main apps know the certificate of the tests, and the External Client App has the scope that assertions need.
fn with_certificates(scenario: &mut Scenario) {
    for key in [KEY, CONNECTED_KEY] {
        app(scenario, key).certificate = Some(CERTIFICATE.to_owned());
    }
}

fn catalogue() -> Vec<Row> {
    let mut rows = client_rows();
    rows.extend(user_rows());
    rows.extend(grant_rows());
    rows.extend(assertion_rows());
    rows
}

/// App, secret, host, and the flow's switches.
fn client_rows() -> Vec<Row> {
    vec![
        row("invalid_client_id", "client identifier invalid", as_it_is, Ask::With(CREDENTIALS, &[("client_id", "x")])),
        row(
            "invalid_client_id",
            "client identifier invalid",
            |scenario| {
                scenario.org.propagation_minutes = 5;
                app(scenario, KEY).fresh = true;
            },
            Ask::Form(CREDENTIALS),
        ),
        row(
            "invalid_client",
            "invalid client credentials",
            as_it_is,
            Ask::With(CREDENTIALS, &[("client_secret", "wrong")]),
        ),
        row("invalid_client", "invalid client credentials", as_it_is, Ask::With(RENEW, &[("client_secret", "")])),
        row("invalid_basic_auth_header", "invalid basic auth header", as_it_is, Ask::Basic("Basic ???")),
        row(
            "unsupported_grant_type",
            "grant type not supported",
            as_it_is,
            Ask::With(CREDENTIALS, &[("grant_type", "client-credentials")]),
        ),
        row(
            "unsupported_grant_type",
            "grant type not supported",
            as_it_is,
            Ask::At("acme.lightning.force.com", CREDENTIALS),
        ),
        row(
            "invalid_grant",
            "request not supported on this domain",
            as_it_is,
            Ask::At("login.salesforce.com", CREDENTIALS),
        ),
        row(
            "invalid_grant",
            "no client credentials user enabled",
            |scenario| app(scenario, KEY).client_credentials.as_mut().unwrap().run_as = None,
            Ask::Form(CREDENTIALS),
        ),
        row(
            "invalid_grant",
            "client credentials flow not enabled",
            |scenario| app(scenario, KEY).client_credentials = None,
            Ask::Form(CREDENTIALS),
        ),
        row(
            "invalid_grant",
            "no valid scopes defined",
            |scenario| app(scenario, KEY).scopes = vec!["full".to_owned()],
            Ask::Form(CREDENTIALS),
        ),
        row("invalid_grant", "device flow is not enabled for the app", as_it_is, Ask::Form(DEVICE_START)),
        row(
            "invalid_app_access",
            "user is not admin approved to access this app",
            |scenario| app(scenario, KEY).permission_sets.clear(),
            Ask::Form(CREDENTIALS),
        ),
        row(
            "app_not_found",
            "External client app is not installed in this org",
            |scenario| app(scenario, KEY).state = AppState::NotInstalled,
            Ask::Form(CREDENTIALS),
        ),
        row(
            "oauth_flow_disabled",
            "The external client app or the OAuth plugin is disabled.",
            |scenario| app(scenario, KEY).state = AppState::Disabled,
            Ask::Form(CREDENTIALS),
        ),
        row(
            "app_blocked",
            "this app is blocked by admin",
            |scenario| app(scenario, KEY).state = AppState::Blocked,
            Ask::Form(CREDENTIALS),
        ),
        row(
            "invalid_client",
            "app must be installed into org",
            |scenario| app(scenario, CONNECTED_KEY).state = AppState::NotInstalled,
            Ask::With(PASSWORD, &[("username", "sam@acme.example"), ("password", "sams-passwordTokenOfSam")]),
        ),
        row("invalid_request", "scope parameter not supported", as_it_is, Ask::With(RENEW, &[("scope", "api")])),
        row("invalid_request", "scope parameter not supported", as_it_is, Ask::With(CREDENTIALS, &[("scope", "api")])),
        row("invalid_request", "uvid invalid", as_it_is, Ask::Guest),
    ]
}

/// The user and the org.
fn user_rows() -> Vec<Row> {
    vec![
        row("invalid_grant", "authentication failure", as_it_is, Ask::With(PASSWORD, &[("password", "wrong")])),
        row(
            "invalid_grant",
            "authentication failure",
            |scenario| scenario.org.username_password_flow = false,
            Ask::Form(PASSWORD),
        ),
        row("invalid_grant", "authentication failure", as_it_is, Ask::At("test.salesforce.com", PASSWORD)),
        row(
            "invalid_grant",
            "ip restricted",
            |scenario| {
                profile_of(scenario, INTEGRATION).login_ip_ranges =
                    vec!["198.51.100.0-198.51.100.255".parse().unwrap()];
            },
            Ask::Form(CREDENTIALS),
        ),
        row(
            "invalid_grant",
            "inactive user",
            |scenario| user(scenario, INTEGRATION).active = false,
            Ask::Form(CREDENTIALS),
        ),
        row("invalid_grant", "inactive user", |scenario| user(scenario, ADMIN).frozen = true, Ask::Form(RENEW)),
        row(
            "invalid_grant",
            "Data Not Available",
            |scenario| scenario.org.state = OrgState::Deleted,
            Ask::Form(CREDENTIALS),
        ),
        row(
            "inactive_org",
            "organization is inactive",
            |scenario| scenario.org.state = OrgState::Locked,
            Ask::Form(CREDENTIALS),
        ),
        row(
            "access_denied",
            "end-user denied authorization",
            |scenario| user(scenario, INTEGRATION).kind = UserKind::Portal,
            Ask::Form(CREDENTIALS),
        ),
        row(
            "rate_limit_exceeded",
            "number of logins exceeded",
            |scenario| scenario.limits.hourly_logins_per_user = 3,
            Ask::Times(4, CREDENTIALS),
        ),
        row(
            "invalid_session_level",
            "session security level is too low",
            |scenario| app(scenario, KEY).required_session_level = SessionLevel::HighAssurance,
            Ask::Form(CREDENTIALS),
        ),
    ]
}

/// What is presented.
fn grant_rows() -> Vec<Row> {
    vec![
        row(
            "invalid_grant",
            "expired access/refresh token",
            as_it_is,
            Ask::With(RENEW, &[("refresh_token", "5Aep.unknown")]),
        ),
        row(
            "invalid_grant",
            "expired access/refresh token",
            |scenario| app(scenario, CONNECTED_KEY).refresh_token_policy = RefreshTokenPolicy::Zero,
            Ask::Form(RENEW),
        ),
        row("invalid_grant", "token request is already being processed", as_it_is, Ask::Busy),
        row("invalid_grant", "expired authorization code", as_it_is, Ask::Code { times: 2, more: &[] }),
        row("invalid_grant", "invalid authorization code", as_it_is, Ask::With(REDEEM, &[("code", "aPrx%3D%3D")])),
        row(
            "invalid_grant",
            "invalid code verifier",
            as_it_is,
            Ask::Code { times: 1, more: &[("code_verifier", "another")] },
        ),
        row(
            "authorization_pending",
            "authorization pending",
            |scenario| app(scenario, CONNECTED_KEY).device_flow = true,
            Ask::Poll(1),
        ),
        row(
            "slow_down",
            "polling too frequently",
            |scenario| app(scenario, CONNECTED_KEY).device_flow = true,
            Ask::Poll(2),
        ),
        row(
            "invalid_scope",
            "the requested scope is not allowed",
            |scenario| app(scenario, CONNECTED_KEY).device_flow = true,
            Ask::With(DEVICE_START, &[("scope", "web")]),
        ),
        row(
            "invalid_scope",
            "too many scopes requested",
            |scenario| {
                let app = app(scenario, KEY);
                app.device_flow = true;
                app.scopes.extend(["cdp_query_api".to_owned(), "cdp_profile_api".to_owned()]);
            },
            Ask::With(DEVICE_START, &[("client_id", KEY), ("scope", "cdp_query_api cdp_profile_api")]),
        ),
        row("unsupported_token_type", "invalid token: nonsense", as_it_is, Ask::Revoke("nonsense")),
    ]
}

fn assertion_rows() -> Vec<Row> {
    vec![
        row(
            "invalid_grant",
            "user hasn't approved this consumer",
            with_certificates,
            Ask::Jwt(|claims| {
                claims["iss"] = json!(CONNECTED_KEY);
                claims["sub"] = json!("sam@acme.example");
            }),
        ),
        row("invalid_grant", "invalid assertion", as_it_is, Ask::Jwt(|_| {})),
        row(
            "invalid_grant",
            "audience is invalid",
            with_certificates,
            Ask::Jwt(|claims| claims["aud"] = json!("https://test.salesforce.com")),
        ),
        row(
            "invalid_grant",
            "expired authorization code",
            with_certificates,
            Ask::Jwt(|claims| claims["exp"] = json!(NOW - 600)),
        ),
        row(
            "invalid_app_access",
            "user is not admin approved to access this app",
            with_certificates,
            Ask::Jwt(|claims| claims["sub"] = json!("sam@acme.example")),
        ),
        row(
            "invalid_request",
            "refresh_token scope is required and the connected app should be installed and preauthorized",
            |scenario| {
                with_certificates(scenario);
                app(scenario, KEY).scopes = vec!["api".to_owned()];
            },
            Ask::Jwt(|_| {}),
        ),
    ]
}

/// A form with other values, and without those whose value is empty.
fn changed(form: Form, more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let kept = form.iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    kept.chain(more).copied().filter(|(_, value)| !value.is_empty()).collect()
}

async fn at(acme: &Acme, host: &str, form: &[(&str, &str)]) -> Seen {
    let request = acme.http.post(acme.url("/services/oauth2/token")).header("host", host).form(form);
    Seen::of(request.send().await.unwrap()).await
}

async fn times(acme: &Acme, times: u32, form: &[(&str, &str)]) -> Seen {
    let mut answer = acme.token_request(form).await;
    for _ in 1..times {
        answer = acme.token_request(form).await;
    }
    answer
}

fn signed(change: fn(&mut Value)) -> String {
    let mut claims = json!({"iss": KEY, "sub": INTEGRATION, "aud": format!("https://{MY_DOMAIN}"), "exp": NOW + 180});
    change(&mut claims);
    assertion(&claims)
}

async fn busy(acme: &Acme) -> Seen {
    acme.emulator.control().push_fault(Fault::next("POST /services/oauth2/token", Effect::Hang));
    let second = async {
        acme.faults_struck().await;
        let answer = acme.token_request(RENEW).await;
        acme.emulator.control().release();
        answer
    };
    tokio::join!(acme.token_request(RENEW), second).1
}

async fn send(acme: &Acme, ask: &Ask) -> Seen {
    let url = acme.url("/services/oauth2/token");
    match ask {
        Ask::Form(form) => acme.token_request(form).await,
        Ask::With(form, more) => acme.token_request(&changed(form, more)).await,
        Ask::At(host, form) => at(acme, host, form).await,
        Ask::Times(count, form) => times(acme, *count, form).await,
        Ask::Code { times: count, more } => {
            let challenge = challenge_of("the verifier");
            let asked: &[(&str, &str)] = if more.is_empty() { &[] } else { &[("code_challenge", challenge.as_str())] };
            let code = code(acme, asked).await;
            let form = [REDEEM, more, &[("code", code.as_str())]].concat();
            times(acme, *count, &form).await
        }
        Ask::Poll(count) => {
            let started = acme.token_request(DEVICE_START).await.json();
            let form = [POLL, &[("code", started["device_code"].as_str().unwrap())]].concat();
            times(acme, *count, &form).await
        }
        Ask::Jwt(change) => acme.token_request(&[("grant_type", JWT_BEARER), ("assertion", &signed(*change))]).await,
        Ask::Guest => {
            let request = acme.http.post(url).header("uvid-hint", "UVID x").form(CREDENTIALS);
            Seen::of(request.send().await.unwrap()).await
        }
        Ask::Busy => busy(acme).await,
        Ask::Basic(header) => {
            let form = [("grant_type", "client_credentials")];
            let request = acme.http.post(url).header("authorization", *header).form(&form);
            Seen::of(request.send().await.unwrap()).await
        }
        Ask::Revoke(token) => {
            let request =
                acme.http.post(acme.url("/services/oauth2/revoke")).form(&[("token", *token), ("format", "json")]);
            Seen::of(request.send().await.unwrap()).await
        }
    }
}

#[tokio::test]
async fn every_row_of_the_error_catalogue_is_reached_by_a_real_request() {
    for Row { error, description, scenario, ask } in catalogue() {
        let acme = Acme::start_with(scenario).await;
        let answer = send(&acme, &ask).await;
        let expected = (error.to_owned(), description.to_owned());
        assert_eq!((answer.status, answer.oauth_error()), (400, expected));
        assert_eq!(answer.header("content-type"), "application/json;charset=UTF-8");
        assert_eq!(answer.header("cache-control"), "no-cache, no-store");
    }
}

/// What an error says of the host: the flows that a host serves come as far as their own checks.
fn verdict(answer: &Seen) -> String {
    if answer.status == 200 {
        return "served".to_owned();
    }
    answer.oauth_error().1
}

#[tokio::test]
async fn each_flow_is_served_by_the_hosts_that_salesforce_names_for_it() {
    let acme = Acme::start_with(|scenario| {
        with_certificates(scenario);
        app(scenario, CONNECTED_KEY).device_flow = true;
    })
    .await;
    let of_connected = assertion(&json!({
        "iss": CONNECTED_KEY, "sub": ADMIN, "aud": "https://login.salesforce.com", "exp": NOW + 180
    }));
    let of_local = signed(|_| {});
    let code = changed(REDEEM, &[("code", "x")]);
    let exchange = [("grant_type", EXCHANGE), ("client_id", CONNECTED_KEY)];
    let jwt_of_connected = [("grant_type", JWT_BEARER), ("assertion", of_connected.as_str())];
    let jwt_of_local = [("grant_type", JWT_BEARER), ("assertion", of_local.as_str())];
    let (wrong_domain, served) = ("request not supported on this domain", "served");
    let (unknown_code, not_here) = ("invalid authorization code", "External client app is not installed in this org");
    let (off, expired) = ("token exchange flow not enabled", "expired access/refresh token");
    let (failure, not_approved) = ("authentication failure", "user hasn't approved this consumer");
    // Flow, then what My Domain, login and test say; the org is one of production.
    let matrix: [(&str, &Pairs, [&str; 3]); 8] = [
        ("client credentials", CREDENTIALS, [served, wrong_domain, wrong_domain]),
        ("password", PASSWORD, [served, served, failure]),
        ("refresh", RENEW, [served, served, expired]),
        ("code", &code, [unknown_code; 3]),
        ("device", DEVICE_START, [served; 3]),
        ("token exchange", &exchange, [off; 3]),
        ("JWT, Connected App", &jwt_of_connected, [served, served, not_approved]),
        ("JWT, Local External Client App", &jwt_of_local, [served, not_here, not_here]),
    ];
    for (flow, form, expected) in matrix {
        for (host, expected) in [MY_DOMAIN, "login.salesforce.com", "test.salesforce.com"].into_iter().zip(expected) {
            assert_eq!(verdict(&at(&acme, host, form).await), expected, "{flow} at {host}");
        }
        let lightning = at(&acme, "acme.lightning.force.com", form).await;
        assert_eq!(verdict(&lightning), "grant type not supported", "{flow} at the Lightning host");
        let setup = at(&acme, "acme.my.salesforce-setup.com", form).await;
        assert_eq!(verdict(&setup), wrong_domain, "{flow} at the Setup host");
    }
}

#[tokio::test]
async fn credentials_of_a_sandbox_fail_in_production_and_the_other_way_round() {
    let acme = Acme::start_with(|scenario| {
        let (name, id) = ("uat".to_owned(), "00DgL000000UATE".to_owned());
        scenario.sandboxes = vec![SandboxSpec { name, id, copies_apps: true }];
    })
    .await;
    let of_sandbox = changed(PASSWORD, &[("username", "admin@acme.example.uat")]);
    let sandbox = "acme--uat.sandbox.my.salesforce.com";
    for (host, form, expected) in [
        (MY_DOMAIN, of_sandbox.as_slice(), "authentication failure"),
        (sandbox, PASSWORD, "authentication failure"),
        ("login.salesforce.com", &of_sandbox, "authentication failure"),
        ("test.salesforce.com", &of_sandbox, "served"),
        (sandbox, &of_sandbox, "served"),
        (sandbox, RENEW, "expired access/refresh token"),
    ] {
        assert_eq!(verdict(&at(&acme, host, form).await), expected, "{host}");
    }
}

#[tokio::test]
async fn a_token_works_for_the_oauth_endpoints_of_its_orgs_hosts() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let ask = async |host: &str, path: &str, form: &[(&str, &str)]| {
        let request = acme.http.post(acme.url(path)).header("host", host).bearer_auth(&token).form(form);
        Seen::of(request.send().await.unwrap()).await
    };
    let about = [("token", token.as_str()), ("client_id", KEY), ("client_secret", SECRET)];
    for host in [MY_DOMAIN, "login.salesforce.com", "test.salesforce.com"] {
        let info = ask(host, "/services/oauth2/userinfo", &[]).await;
        assert_eq!(info.json()["preferred_username"], INTEGRATION, "{host}");
        assert_eq!(ask(host, "/services/oauth2/introspect", &about).await.json()["active"], true, "{host}");
    }
    assert_eq!(ask("login.salesforce.com", "/services/oauth2/revoke", &about[..1]).await.status, 200);
    assert_eq!(acme.get("/services/data/v60.0", &token).await.status, 401);
}
