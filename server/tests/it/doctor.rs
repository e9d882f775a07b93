//! The doctor: what it makes of answers that no scenario has, of addresses that lead nowhere, and of changes that have
//! not taken effect yet. Everything here runs in this process, and waits for nothing.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use emulator::{Control, Effect, Scenario};
use futures_util::{FutureExt, future::BoxFuture};
use orgtide::{
    app::{
        App,
        connect::{AppChoice, ConnectRequest, Connected, Offered, UserPassword},
    },
    diagnose::{Cell, Checklist, Examined, Finding, Need, Quiet, Severity, Step, of_error},
    error::Error,
    store::{connections::Confirmed, journal::Actor},
};
use salesforce::{http::Timer, oauth::CallbackError};
use serde_json::json;

use crate::org::{Acme, CLIENT_ID, CLIENT_SECRET, ORG, TOKEN};

const PROBE: &str = "GET /.well-known/auth-configuration";
const USERINFO: &str = "GET /services/oauth2/userinfo";
const OBJECTS: &str = "GET /services/data/vXX.X/sobjects";
const DESCRIBE: &str = "GET /services/data/vXX.X/sobjects/{object}/describe";
const JOBS: &str = "GET /services/data/vXX.X/jobs/query";

/// Lets the org's time pass and none of ours, and counts it.
pub(crate) struct OrgTime {
    control: Control,
    slept: Mutex<Duration>,
}

impl OrgTime {
    pub(crate) fn of(org: &Acme) -> Arc<Self> {
        Arc::new(Self { control: org.emulator.control().clone(), slept: Mutex::default() })
    }

    pub(crate) fn slept(&self) -> Duration {
        *self.slept.lock().unwrap()
    }
}

impl Timer for OrgTime {
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        // Deadlines are not reached.
        if duration > Duration::from_secs(40) {
            return std::future::pending().boxed();
        }
        *self.slept.lock().unwrap() += duration;
        self.control.advance(duration);
        tokio::task::yield_now().boxed()
    }
}

pub(crate) fn request(name: &str, org: &str, app: (&str, &str)) -> ConnectRequest {
    ConnectRequest {
        name: Some(name.to_owned()),
        org: org.to_owned(),
        customer: None,
        app: AppChoice::Own { client_id: app.0.to_owned(), client_secret: Some(app.1.to_owned().into()) },
        api_version: None,
        confirmed: Confirmed::default(),
        owner: None,
        actor: Actor::CommandLine,
        first_import: Default::default(),
    }
}

async fn connect(app: &App) -> Result<Connected, Error> {
    app.connect(request("acme", ORG, (CLIENT_ID, CLIENT_SECRET)), Offered::ClientCredentials, &Quiet).await
}

fn contacts() -> Vec<Need> {
    vec![Need { object: "Contact".into(), ..Need::default() }]
}

fn refused(status: u16, code: &str, message: &str) -> Effect {
    Effect::Error { status, code: code.to_owned(), message: message.to_owned() }
}

pub(crate) fn answer(status: u16, content_type: &str, body: &str) -> Effect {
    Effect::Answer { status, content_type: content_type.to_owned(), body: body.to_owned() }
}

pub(crate) fn codes(examined: &Examined) -> Vec<&str> {
    examined.findings.iter().map(|finding| finding.code.as_ref()).collect()
}

#[tokio::test]
async fn each_refusal_that_no_setting_of_an_org_provokes_has_its_finding() {
    let org = Acme::start().await;
    let app = org.app_waiting_on(&[], OrgTime::of(&org)).await;
    connect(&app).await.unwrap();
    let jwt_issuer = refused(401, "INVALID_AUTH_HEADER", "INVALID_ISS");
    let page = "<html><title>Object moved</title></html>";
    for (route, times, effect, code) in [
        (OBJECTS, 1, refused(403, "API_DISABLED_FOR_ORG", "The REST API is not enabled."), "api/api-disabled-for-org"),
        (OBJECTS, 1, refused(403, "INSUFFICIENT_ACCESS", "insufficient access rights"), "api/everything-refused"),
        (
            OBJECTS,
            1,
            refused(403, "INSUFFICIENT_ACCESS", "needs a high assurance session"),
            "api/session-level-too-low",
        ),
        (OBJECTS, 1, jwt_issuer, "api/invalid-auth-header"),
        (OBJECTS, 1, refused(404, "URL_NOT_RESET", "Destination URL not reset"), "api/url-not-reset"),
        (OBJECTS, 1, refused(403, "TXN_SECURITY_METERING_ERROR", "too long"), "api/transaction-security-metering"),
        (OBJECTS, 1, refused(403, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", ""), "api/expired-password"),
        (OBJECTS, 1, refused(410, "GONE", "retired"), "api/gone"),
        (OBJECTS, 1, refused(400, "A_CODE_OF_TOMORROW", "new"), "api/refused"),
        (
            DESCRIBE,
            1,
            refused(403, "INSUFFICIENT_ACCESS", "insufficient access rights"),
            "data/object-permission-missing",
        ),
        (DESCRIBE, 1, refused(400, "INSUFFICIENT_ACCESS_OR_READONLY", "no"), "data/object-access-or-readonly"),
        (DESCRIBE, 1, refused(403, "OPERATION_TOO_LARGE", "who/what's"), "data/operation-too-large"),
        (JOBS, 1, refused(400, "FEATURENOTENABLED", "Async API not enabled"), "limit/bulk-not-available"),
        (JOBS, 1, refused(400, "API_ERROR", "something else"), "limit/bulk-unknown"),
        (PROBE, 2, Effect::Maintenance { status: 503 }, "network/maintenance"),
        (PROBE, 1, answer(302, "text/html", page), "org/moved"),
        (PROBE, 1, answer(404, "text/plain", "nothing here"), "org/no-org-here"),
        (PROBE, 1, answer(200, "application/json", "{}"), "org/no-org-here"),
        (PROBE, 1, answer(200, "application/json", r#"{"OrgId":"00D000000000002AAA"}"#), "org/other-org"),
    ] {
        for _ in 0..times {
            org.fault(route, effect.clone());
        }
        let examined = app.check("acme", contacts(), &Quiet).await.unwrap();
        assert!(codes(&examined).contains(&code), "{code}: {:?}", codes(&examined));
        assert!(org.emulator.control().unused_faults().is_empty(), "{code}");
    }
    let well = app.check("acme", contacts(), &Quiet).await.unwrap();
    assert!(well.worst() < Severity::Failed, "{:?}", codes(&well));
    let life = well.findings.iter().find(|finding| finding.code == "life/session-length").unwrap();
    assert!(life.seen.contains("60 minutes"), "{}", life.seen);
    assert!(codes(&well).contains(&"org/clock-skew"), "the org's clock stands still: {:?}", codes(&well));
    org.fault_always(USERINFO, answer(403, "text/plain", "Bad_OAuth_Token"));
    let refused = app.check("acme", contacts(), &Quiet).await.unwrap();
    assert!(codes(&refused).contains(&"api/session-refused"), "{:?}", codes(&refused));
}

#[tokio::test]
async fn an_answer_of_the_token_endpoint_that_cannot_be_trusted_saves_nothing() {
    let org = Acme::start().await;
    let app = org.app_waiting_on(&[], OrgTime::of(&org)).await;
    let token = |instance: &str| {
        let body = json!({"access_token": "00D!canary", "instance_url": instance, "token_type": "Bearer"});
        answer(200, "application/json", &body.to_string())
    };
    for (effect, code) in [
        (token("https://evil.example"), "org/instance-refused"),
        (token("https://acme.my.salesforce.com.evil.example"), "org/instance-refused"),
        (token("https://acme.my.salesforce.com@evil.example"), "org/instance-refused"),
        (token("https://acme.my.salesforce.com:8443"), "org/instance-refused"),
        (token("http://acme.my.salesforce.com"), "org/instance-refused"),
        (token("https://169.254.169.254"), "org/instance-refused"),
        (token("https://localhost"), "org/instance-refused"),
        (token("file:///etc/passwd"), "org/instance-refused"),
        (answer(200, "application/json", "[]"), "network/answer-unreadable"),
        (
            answer(200, "application/json", &format!("{{\"pad\":\"{}\"}}", "x".repeat(3 << 20))),
            "network/answer-too-large",
        ),
        (answer(200, "text/html", "<html><title>Sign in to the proxy</title></html>"), "network/maintenance"),
        (answer(302, "text/html", "<html>elsewhere</html>"), "sign-in/unknown-refusal"),
    ] {
        org.fault_always(TOKEN, effect);
        let error = connect(&app).await.unwrap_err();
        let finding = error.finding().unwrap();
        assert_eq!(finding.code, code, "{error}");
        assert!(!format!("{error}{finding:?}").contains("canary"), "{error}");
        assert!(app.status().await.unwrap().is_empty(), "{code}");
    }
}

#[tokio::test]
async fn an_address_that_only_looks_like_an_orgs_is_asked_nothing() {
    let org = Acme::start().await;
    let app = org.app(&[]).await;
    for pasted in [
        "acme.my.salesforce.com.evil.example",
        "https://acme.my.salesforce.com@evil.example/",
        "http://acme.my.salesforce.com",
        "acme.my.salesforce.com:8443",
        "https://evil.example/?next=acme.my.salesforce.com",
        "127.0.0.1",
        "localhost",
        "https://acme.my.site.com",
    ] {
        let error = app.check_address(pasted, &Quiet).await.unwrap_err();
        assert_eq!(error.finding().unwrap().code, "org/not-an-address", "{pasted}");
        let error =
            app.connect(request("x", pasted, ("k", "s")), Offered::ClientCredentials, &Quiet).await.unwrap_err();
        assert_eq!(error.finding().unwrap().code, "org/not-an-address", "{pasted}");
    }
    assert!(org.emulator.control().journal().is_empty());
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_reported_without_trying_again() {
    let org = Acme::start().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let time = OrgTime::of(&org);
    let app = org.app_waiting_on(&[("ORGTIDE_MAPPED_HOSTS", &format!("{ORG}={closed}"))], time.clone()).await;
    let error = connect(&app).await.unwrap_err();
    assert_eq!(error.finding().unwrap().code, "network/unreachable", "{error}");
    let examined = app.check_address(ORG, &Quiet).await.unwrap();
    assert_eq!(codes(&examined), ["network/unreachable"]);
    assert_eq!(time.slept(), Duration::ZERO);
}

#[tokio::test]
async fn an_address_alone_tells_which_org_it_is_and_what_it_offers() {
    let org = Acme::start().await;
    let examined = org.app(&[]).await.check_address("https://acme.lightning.force.com/lightning/setup", &Quiet).await;
    let examined = examined.unwrap();
    let seen = |code: &str| examined.findings.iter().find(|it| it.code == code).map(|it| it.seen.clone()).unwrap();
    assert!(seen("org/identified").contains("00DgL000000ACME"), "{}", seen("org/identified"));
    assert!(seen("api/version-supported").contains("v31.0 to v68.0"));
    let asked: Vec<String> = org.emulator.control().journal().iter().map(|entry| entry.path.clone()).collect();
    assert_eq!(asked, ["/.well-known/auth-configuration", "/services/data"]);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_no_salesforce() {
    let org = Acme::start().await;
    let stranger = Acme::start().await;
    let authority = stranger.directory.path().join("ca.pem").display().to_string();
    let app = org.app(&[("ORGTIDE_MAPPED_HOSTS_CA", &authority)]).await;
    assert_eq!(connect(&app).await.unwrap_err().finding().unwrap().code, "network/certificate");
    assert!(org.emulator.control().journal().is_empty());
}

/// Whoever waits as long as it takes.
#[derive(Default)]
pub(crate) struct Patient(Mutex<Vec<String>>);

impl Patient {
    /// The codes of what was waited for, each second anew.
    pub(crate) fn waited_for(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Checklist for Patient {
    fn note(&self, step: Step<'_>) {
        if let Step::Waiting { finding, .. } = step {
            self.0.lock().unwrap().push(finding.code.to_string());
        }
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(600)
    }
}

#[tokio::test]
async fn who_connects_right_after_creating_the_app_is_connected_eight_minutes_later() {
    let mut scenario = Scenario::builtin("g2-genfin/not-waited").unwrap();
    scenario.time = emulator::Passage::Frozen;
    let org = Acme::of(scenario).await;
    let time = OrgTime::of(&org);
    let app = org.app_waiting_on(&[], time.clone()).await;
    let request = request("genfin", "harbor-credit.my.salesforce.com", ("3MVG9.harbor.genfin", "harbor-genfin-secret"));
    let patient = Patient::default();
    let connected = app.connect(request, Offered::ClientCredentials, &patient).await.unwrap();
    assert_eq!(connected.connection.name, "genfin");
    assert_eq!(time.slept(), Duration::from_secs(480));
    let waited = patient.waited_for();
    assert!(waited.len() == 480 && waited.iter().all(|code| code == "sign-in/unknown-consumer-key"), "{waited:?}");
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_again_however_patient_somebody_is() {
    let org = Acme::start().await;
    let time = OrgTime::of(&org);
    let app = org.app_waiting_on(&[], time.clone()).await;
    let who = UserPassword {
        username: "sam@acme.example".into(),
        password: "guessed".to_owned().into(),
        security_token: None,
    };
    let request = request("sam", ORG, ("3MVG9.acme.connected", "acme-connected-secret"));
    let error = app.connect(request, Offered::Password(who), &Patient::default()).await.unwrap_err();
    assert_eq!(error.finding().unwrap().code, "sign-in/authentication-failure");
    assert_eq!((org.asked(TOKEN), time.slept()), (1, Duration::ZERO));
}

#[tokio::test]
async fn each_wanted_field_is_readable_hidden_or_one_of_two_and_a_set_that_shows_it_is_named() {
    let org = Acme::start().await;
    let control = org.emulator.control();
    let set = control.insert("PermissionSet", json!({"Name": "Birthdays", "Label": "Birthdays"})).unwrap();
    let shown = json!({"ParentId": set.to_string(), "SobjectType": "Contact", "Field": "Contact.Birthdate",
                       "PermissionsRead": true, "PermissionsEdit": false});
    control.insert("FieldPermissions", shown).unwrap();
    let app = org.app(&[]).await;
    let sam = UserPassword {
        username: "sam@acme.example".into(),
        password: "sams-password".to_owned().into(),
        security_token: Some("TokenOfSam".to_owned().into()),
    };
    let request = request("sam", ORG, ("3MVG9.acme.connected", "acme-connected-secret"));
    app.connect(request, Offered::Password(sam), &Quiet).await.unwrap();
    let fields = ["LastName", "Account.Name", "Birthdate", "Emal", "Account.AnnualRevenue"].map(str::to_owned);
    let need = Need { object: "Contact".into(), fields: fields.to_vec(), ..Need::default() };
    let examined = app.check("sam", vec![need], &Quiet).await.unwrap();
    let cells: Vec<(&str, Cell)> =
        examined.matrix[0].fields.iter().map(|(field, cell)| (field.as_str(), *cell)).collect();
    assert_eq!(
        cells,
        [
            ("LastName", Cell::Readable),
            ("Account.Name", Cell::Readable),
            ("Birthdate", Cell::Hidden),
            ("Emal", Cell::MissingOrHidden),
            ("Account.AnnualRevenue", Cell::Hidden),
        ]
    );
    let of = |subject: &str| -> &Finding {
        examined.findings.iter().find(|finding| finding.subject == format!("Contact.{subject}")).unwrap()
    };
    let remedy = |subject: &str| of(subject).remedy.as_ref().unwrap().text.to_string();
    assert_eq!(of("Birthdate").code, "data/field-hidden");
    assert!(remedy("Birthdate").contains("Assign the permission set \"Birthdays\""), "{}", remedy("Birthdate"));
    assert!(remedy("Emal").contains("If Email is meant"), "{}", remedy("Emal"));
    assert!(of("Account.AnnualRevenue").seen.contains("Account, to which Contact.Account.AnnualRevenue leads"));
}

#[test]
fn a_callback_that_does_not_fit_has_a_finding_and_so_has_a_sign_in_that_is_over() {
    for error in [
        CallbackError::StateMissing,
        CallbackError::StateMismatch,
        CallbackError::ErrorAndCode,
        CallbackError::NeitherCodeNorError,
        CallbackError::RepeatedParameter { name: "code" },
    ] {
        assert_eq!(of_error::of_callback(&error).code, "sign-in/callback-refused", "{error}");
    }
    assert_eq!(Error::SignInOver.finding().unwrap().code, "sign-in/over");
}

type Change = fn(&mut Scenario);

/// The scenario `acme` with a change, and what connecting to it comes to: a finding's code.
async fn connecting_after(change: Change) -> Vec<String> {
    let mut scenario = Scenario::builtin("acme").unwrap();
    change(&mut scenario);
    let org = Acme::of(scenario).await;
    let app = org.app_waiting_on(&[], OrgTime::of(&org)).await;
    match connect(&app).await {
        Ok(connected) => connected.findings.iter().map(|finding| finding.code.to_string()).collect(),
        Err(error) => {
            assert!(app.status().await.unwrap().is_empty(), "{error}");
            vec![error.finding().unwrap().code.to_string()]
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_org_as_a_whole_or_with_the_apps_tokens_is_told_apart() {
    let cases: [(Change, &str); 7] = [
        (|acme| acme.org.state = serde_json::from_value("locked".into()).unwrap(), "sign-in/org-inactive"),
        (|acme| acme.org.state = serde_json::from_value("deleted".into()).unwrap(), "sign-in/org-gone"),
        (|acme| acme.org.state = serde_json::from_value("maintenance".into()).unwrap(), "network/maintenance"),
        (|acme| acme.limits.hourly_logins_per_user = 0, "sign-in/too-many-sign-ins"),
        (|acme| acme.apps.iter_mut().for_each(|app| app.named_user_jwt = true), "api/token-is-jwt"),
        (|acme| acme.apps.iter_mut().for_each(|app| app.session_timeout_minutes = Some(15)), "life/session-short"),
        (|acme| acme.limits.daily_api_requests = 15, "limit/requests-low"),
    ];
    for (change, code) in cases {
        let found = connecting_after(change).await;
        assert!(found.iter().any(|found| found == code), "{code}: {found:?}");
    }
}
