//! What Salesforce refuses at sign-in, flow by flow: each refusal has its finding, and nothing is saved.

use std::{sync::Arc, time::Duration};

use emulator::{
    Effect, Scenario, Secret,
    scenario::{AppSpec, PermittedUsers, Setup},
};
use orgtide::{
    app::{
        App,
        connect::{AppChoice, ConnectRequest, Connected, Offered, UserPassword},
    },
    diagnose::Quiet,
    error::Error,
};

use crate::{
    connect::{BROWSER, MIA, begin, begin_as, by_configured_app, config, nordlicht, receiving_nothing},
    doctor::{OrgTime, answer, codes, request},
    keeper::scene::{ROTATING, STEADY},
    org::{Acme, ORG, TOKEN},
};

const SOAP: &str = "POST /services/Soap/u/{version}";
const REVOKE: &str = "POST /services/oauth2/revoke";
const CONNECTED: (&str, &str) = ("3MVG9.acme.connected", "acme-connected-secret");

fn code(outcome: Result<Connected, Error>) -> String {
    outcome.unwrap_err().finding().unwrap().code.to_string()
}

fn refused(description: &str) -> Effect {
    let body = serde_json::json!({ "error": "invalid_grant", "error_description": description });
    answer(400, "application/json", &body.to_string())
}

/// The value of a parameter of a callback, as it stands there.
fn parameter<'a>(query: &'a str, name: &str) -> &'a str {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap()
}

fn callback_with(code: &str, state: &str) -> String {
    format!("code={code}&state={state}")
}

async fn arrive(app: &App, query: &str) -> Result<Connected, Error> {
    app.finish_web_server(query, BROWSER, &Quiet).await
}

#[tokio::test]
async fn a_code_that_belongs_to_another_sign_in_or_to_none_connects_nothing() {
    let callback = receiving_nothing().await;
    let org = nordlicht("g3-mailfino", &callback).await;
    let app = org.app(&config(&org)).await;
    let (first, second) = (begin(&org, &app, &callback).await, begin(&org, &app, &callback).await);
    let of_first = callback_with(parameter(&first, "code"), parameter(&second, "state"));
    assert_eq!(code(arrive(&app, &of_first).await), "sign-in/pkce-verifier-wrong");
    let made_up = callback_with("aPrxMadeUp", parameter(&first, "state"));
    assert_eq!(code(arrive(&app, &made_up).await), "sign-in/authorization-code-invalid");
    let late = begin(&org, &app, &callback).await;
    org.emulator.control().advance(Duration::from_secs(15 * 60));
    assert_eq!(code(arrive(&app, &late).await), "sign-in/authorization-code-expired");
    assert!(app.status().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_code_that_was_used_changes_nothing_when_another_sign_in_presents_it_again() {
    let callback = receiving_nothing().await;
    let org = nordlicht("g3-mailfino", &callback).await;
    let app = org.app(&config(&org)).await;
    let first = begin(&org, &app, &callback).await;
    let connected = arrive(&app, &first).await.unwrap().connection;
    let second = begin(&org, &app, &callback).await;
    let reused = callback_with(parameter(&first, "code"), parameter(&second, "state"));
    assert_eq!(code(arrive(&app, &reused).await), "sign-in/authorization-code-expired");
    assert_eq!(app.status().await.unwrap()[0].state, connected.state);
    assert_eq!(org.asked(REVOKE), 0);
    assert_eq!(code(arrive(&app, &second).await), "sign-in/callback-refused", "its state was used");
}

#[tokio::test]
async fn a_code_that_was_issued_to_another_app_is_refused() {
    let callback = receiving_nothing().await;
    let org = nordlicht("g3-mailfino", &callback).await;
    let (key, secret) = ("3MVG9.nordlicht.other", "nordlicht-other-secret");
    let add = |setup: &mut Setup| {
        let known = setup.app("3MVG9.nordlicht.mailfino").unwrap().clone();
        setup.put_app(AppSpec { consumer_key: key.into(), consumer_secret: Secret::new(secret), ..known });
    };
    org.emulator.control().change_setup(add).unwrap();
    let app = org.app(&config(&org)).await;
    let own = AppChoice::Own { client_id: key.into(), client_secret: Some(secret.to_owned().into()) };
    let other = ConnectRequest { app: own, ..by_configured_app() };
    let of_other = begin_as(&org, &app, &callback, other, MIA).await;
    let ours = begin(&org, &app, &callback).await;
    let mixed = callback_with(parameter(&of_other, "code"), parameter(&ours, "state"));
    assert_eq!(code(arrive(&app, &mixed).await), "sign-in/authorization-code-invalid");
    assert!(app.status().await.unwrap().is_empty());
    arrive(&app, &of_other).await.unwrap();
}

#[tokio::test]
async fn the_sixth_approval_of_a_user_ends_the_first_connection_and_a_check_of_it_says_so() {
    let callback = receiving_nothing().await;
    let org = nordlicht("g3-mailfino", &callback).await;
    let app = org.app(&config(&org)).await;
    for number in 1..=6 {
        let named = ConnectRequest { name: Some(format!("mia-{number}")), ..by_configured_app() };
        let query = begin_as(&org, &app, &callback, named, MIA).await;
        arrive(&app, &query).await.unwrap();
    }
    let first = app.check("mia-1", Vec::new(), &Quiet).await.unwrap();
    assert!(codes(&first).contains(&"sign-in/refresh-token-dead"), "{:?}", codes(&first));
    let dead = first.findings.iter().find(|finding| finding.code == "sign-in/refresh-token-dead").unwrap();
    assert!(dead.cause.contains("one too many of this user"), "{}", dead.cause);
    let second = app.check("mia-2", Vec::new(), &Quiet).await.unwrap();
    assert!(!codes(&second).contains(&"sign-in/refresh-token-dead"), "{:?}", codes(&second));
}

#[tokio::test]
async fn a_refresh_token_that_somebody_else_redeems_at_the_moment_is_said_to_be_in_use() {
    let org = Acme::start().await;
    let app = Arc::new(org.app(&[]).await);
    let by_token = |name: &str, (key, secret, token): (&str, &str, &str)| {
        let offered = Offered::RefreshToken { refresh_token: token.to_owned().into() };
        let (app, request) = (Arc::clone(&app), request(name, ORG, (key, secret)));
        async move { app.connect(request, offered, &Quiet).await }
    };
    org.fault(TOKEN, Effect::Hang);
    let mut first = tokio::spawn(by_token("first", STEADY));
    org.faults_struck(&mut first).await;
    assert_eq!(code(by_token("second", STEADY).await), "sign-in/refresh-in-progress");
    org.emulator.control().release();
    assert_eq!(first.await.unwrap().unwrap().connection.name, "first");
    let revoked = (ROTATING.0, ROTATING.1, "5Aep.acme.of.nobody");
    assert_eq!(code(by_token("third", revoked).await), "sign-in/refresh-token-dead");
    assert_eq!(app.status().await.unwrap().len(), 1);
}

async fn connect_as_sam(org: &Acme, flow: fn(UserPassword) -> Offered, password: &str, token: &str) -> String {
    let app = org.app_waiting_on(&[], OrgTime::of(org)).await;
    let who = UserPassword {
        username: "sam@acme.example".into(),
        password: password.to_owned().into(),
        security_token: Some(token.to_owned()).filter(|token| !token.is_empty()).map(Into::into),
    };
    let choice = match flow(who.clone()) {
        Offered::SoapLogin(_) => AppChoice::Absent,
        _ => request("sam", ORG, CONNECTED).app,
    };
    let outcome =
        app.connect(ConnectRequest { app: choice, ..request("sam", ORG, CONNECTED) }, flow(who), &Quiet).await;
    assert!(outcome.is_ok() || app.status().await.unwrap().is_empty());
    outcome.map_or_else(|error| error.finding().unwrap().code.to_string(), |_| "connected".to_owned())
}

type Change = fn(&mut Scenario);

fn sam(scenario: &mut Scenario) -> &mut emulator::scenario::UserSpec {
    scenario.users.iter_mut().find(|user| user.username == "sam@acme.example").unwrap()
}

#[tokio::test]
async fn each_refusal_of_a_user_and_password_is_told_apart_as_far_as_salesforce_does() {
    let (right, token) = ("sams-password", "TokenOfSam");
    // What SOAP login() answers, then what the password flow does.
    let cases: [(Change, &str, &str, &str, &str); 8] = [
        (|_| {}, right, token, "connected", "connected"),
        (|_| {}, "guessed", token, "sign-in/soap-login-refused", "sign-in/authentication-failure"),
        (|_| {}, right, "", "sign-in/security-token-missing", "sign-in/authentication-failure"),
        (
            |acme| sam(acme).locked_out = true,
            right,
            token,
            "sign-in/soap-login-refused",
            "sign-in/authentication-failure",
        ),
        (|acme| sam(acme).active = false, right, token, "sign-in/soap-login-refused", "sign-in/authentication-failure"),
        (|acme| acme.org.soap_login = false, right, token, "sign-in/soap-login-off", "connected"),
        (
            |acme| acme.limits.hourly_logins_per_user = 0,
            right,
            token,
            "sign-in/too-many-sign-ins",
            "sign-in/too-many-sign-ins",
        ),
        (
            |acme| "No API".clone_into(&mut sam(acme).profile),
            right,
            token,
            "sign-in/api-disabled-for-user",
            "api/api-currently-disabled",
        ),
    ];
    for (change, password, token, by_soap, by_password) in cases {
        let mut scenario = Scenario::builtin("acme").unwrap();
        scenario.org.soap_login = true;
        change(&mut scenario);
        let org = Acme::of(scenario).await;
        assert_eq!(connect_as_sam(&org, Offered::SoapLogin, password, token).await, by_soap);
        let org = org.replaced_by(org_again(change)).await;
        assert_eq!(connect_as_sam(&org, Offered::Password, password, token).await, by_password, "not {by_soap}");
    }
}

fn org_again(change: Change) -> Scenario {
    let mut scenario = Scenario::builtin("acme").unwrap();
    change(&mut scenario);
    scenario
}

#[tokio::test]
async fn a_soap_version_that_is_retired_is_named() {
    let mut scenario = Scenario::builtin("acme").unwrap();
    scenario.org.soap_login = true;
    let org = Acme::of(scenario).await;
    let fault = "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>\
                 <soapenv:Fault><faultcode>sf:UNSUPPORTED_API_VERSION</faultcode><faultstring>UNSUPPORTED_API_VERSION: \
                 Invalid Api version specified on URL</faultstring></soapenv:Fault></soapenv:Body></soapenv:Envelope>";
    org.fault(SOAP, answer(500, "text/xml", fault));
    assert_eq!(
        connect_as_sam(&org, Offered::SoapLogin, "sams-password", "TokenOfSam").await,
        "sign-in/soap-version-retired"
    );
}

#[tokio::test]
async fn each_thing_that_is_missing_for_a_signed_assertion_is_named() {
    let org = Acme::start().await;
    let control = org.emulator.control();
    let app = org.app_waiting_on(&[], OrgTime::of(&org)).await;
    let made = app.make_client_key("acme").await.unwrap().certificate;
    let others = app.make_client_key("other").await.unwrap().certificate;
    let set_up = |change: &dyn Fn(&mut AppSpec)| {
        control.change_setup(|setup| change(setup.app_mut(CONNECTED.0).unwrap())).unwrap();
    };
    let connect = async || {
        let offered = Offered::JwtBearer { username: "sam@acme.example".into(), key: None };
        let outcome = app.connect(request("acme", ORG, CONNECTED), offered, &Quiet).await;
        outcome.map_or_else(|error| error.finding().unwrap().code.to_string(), |_| "connected".to_owned())
    };
    assert_eq!(connect().await, "sign-in/assertion-invalid", "there is no certificate");
    set_up(&|app| app.certificate = Some(others.clone()));
    assert_eq!(connect().await, "sign-in/assertion-invalid", "it is another key's");
    set_up(&|app| app.certificate = Some(made.clone()));
    assert_eq!(connect().await, "sign-in/user-not-approved");
    set_up(&|app| app.permitted_users = PermittedUsers::AdminApproved);
    assert_eq!(connect().await, "sign-in/user-not-admin-approved", "no profile is assigned");
    set_up(&|app| (app.profiles, app.scopes) = (vec!["Standard User".into()], vec!["api".into()]));
    assert_eq!(connect().await, "sign-in/not-preauthorized", "the scope refresh_token is missing");
    set_up(&|app| app.scopes = vec!["api".into(), "refresh_token".into()]);
    for (said, found) in [
        ("audience is invalid", "sign-in/audience-invalid"),
        ("expired authorization code", "sign-in/assertion-expired"),
    ] {
        org.fault_always(TOKEN, refused(said));
        assert_eq!(connect().await, found);
        control.clear_faults();
    }
    assert!(app.status().await.unwrap().is_empty());
    assert_eq!(connect().await, "connected");
    control.advance(Duration::from_secs(10 * 365 * 24 * 3600));
    assert_eq!(connect().await, "connected", "Salesforce's clock counts, not ours");
}
