//! The device flow: the device's requests and the person's pages.

use std::time::Duration;

use emulator::Scenario;
use emulator::scenario::{AppSpec, AppState, RefreshTokenPolicy, SandboxSpec};

use crate::browser::{Browser, Page};
use crate::client::{Acme, CONNECTED_KEY, CONNECTED_SECRET, KEY, SECRET, Seen, access_token, tls_client};

const SAM: &str = "sam@acme.example";
const SAMS_PASSWORD: &str = "sams-password";
const WRONG_CODE: &str = "The code is invalid or has expired.";

/// An org whose Connected App has the device flow.
async fn acme(change: impl FnOnce(&mut Scenario)) -> Acme {
    Acme::start_with(|scenario| {
        connected(scenario).device_flow = true;
        change(scenario);
    })
    .await
}

fn connected(scenario: &mut Scenario) -> &mut AppSpec {
    scenario.apps.iter_mut().find(|app| app.consumer_key == CONNECTED_KEY).unwrap()
}

fn error(error: &str, description: &str) -> (String, String) {
    (error.to_owned(), description.to_owned())
}

struct Codes {
    device: String,
    user: String,
    uri: String,
}

impl Codes {
    fn of(answer: &Seen) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.text);
        let body = answer.json();
        let text = |key: &str| body[key].as_str().unwrap().to_owned();
        Self { device: text("device_code"), user: text("user_code"), uri: text("verification_uri") }
    }
}

impl Acme {
    async fn start_device(&self, more: &[(&str, &str)]) -> Seen {
        let form = [&[("response_type", "device_code"), ("client_id", CONNECTED_KEY)], more].concat();
        self.token_request(&form).await
    }

    async fn poll(&self, codes: &Codes) -> Seen {
        self.token_request(&[
            ("grant_type", "device"),
            ("client_id", CONNECTED_KEY),
            ("client_secret", CONNECTED_SECRET),
            ("code", &codes.device),
        ])
        .await
    }

    async fn poll_later(&self, codes: &Codes) -> Seen {
        self.emulator.control().advance(Duration::from_secs(5));
        self.poll(codes).await
    }
}

/// The page that asks about a code, in a browser where Sam logs in.
async fn confirm(browser: &mut Browser, codes: &Codes) -> Page {
    let login = browser.open(&codes.uri).await;
    let page = browser.log_in(&login, SAM, SAMS_PASSWORD).await;
    assert_eq!(page.heading(), "Connect your device", "{page:?}");
    browser.press(&page, ("", ""), &[("user_code", &codes.user)]).await
}

#[tokio::test]
async fn a_device_gets_its_tokens_once_a_person_has_allowed_it() {
    let acme = acme(|_| {}).await;
    let started = acme.start_device(&[("scope", "refresh_token api")]).await;
    let mut keys: Vec<String> = started.json().as_object().unwrap().keys().cloned().collect();
    keys.sort();
    assert_eq!(keys, ["device_code", "interval", "user_code", "verification_uri"]);
    assert_eq!(started.json()["interval"], 5);
    let codes = Codes::of(&started);
    assert_eq!(codes.user.len(), 8);
    assert_eq!(codes.uri, acme.url("/setup/connect"));
    assert_eq!(acme.poll(&codes).await.oauth_error().0, "authorization_pending");

    let mut browser = Browser::plain(&acme.emulator);
    let consent = confirm(&mut browser, &codes).await;
    assert!(consent.is_consent(), "{consent:?}");
    for shown in ["Acme Connected", "Manage user data via APIs", "Perform requests at any time", "Sam Standard"] {
        assert!(consent.seen.text.contains(shown), "{shown}: {consent:?}");
    }
    assert!(!consent.seen.text.contains("identity URL"), "only what was asked for: {consent:?}");
    assert_eq!(browser.allow(&consent).await.heading(), "You&#39;re connected");

    let tokens = acme.poll_later(&codes).await;
    assert_eq!(tokens.status, 200, "{}", tokens.text);
    let fields: Vec<String> = tokens.json().as_object().unwrap().keys().cloned().collect();
    let expected =
        ["access_token", "id", "instance_url", "issued_at", "refresh_token", "scope", "signature", "token_type"];
    assert_eq!(fields, expected);
    assert_eq!(tokens.json()["scope"], "refresh_token api");
    let info = acme.get("/services/oauth2/userinfo", &access_token(&tokens)).await;
    assert_eq!(info.json()["preferred_username"], SAM);
    let refresh = tokens.json()["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(acme.refresh(CONNECTED_KEY, CONNECTED_SECRET, &refresh).await.status, 200);
    let again = acme.poll_later(&codes).await;
    assert_eq!(again.oauth_error(), error("invalid_grant", "expired device code"));
}

#[tokio::test]
async fn a_code_may_be_typed_in_any_spelling_and_a_browser_stays_logged_in() {
    let acme = acme(|_| {}).await;
    let mut browser = Browser::plain(&acme.emulator);
    let first = Codes::of(&acme.start_device(&[]).await);
    let consent = confirm(&mut browser, &first).await;
    browser.allow(&consent).await;

    let second = Codes::of(&acme.start_device(&[]).await);
    let (head, tail) = second.user.split_at(4);
    let written = format!(" {}-{} ", head.to_lowercase(), tail.to_lowercase());
    let page = browser.open(&second.uri).await;
    let consent = browser.press(&page, ("", ""), &[("user_code", &written)]).await;
    assert!(consent.is_consent(), "{consent:?}");

    let third = Codes::of(&acme.start_device(&[]).await);
    let filled = browser.open(&format!("{}?user_code={}", third.uri, third.user)).await;
    assert!(filled.seen.text.contains(&format!("value=\"{}\"", third.user)), "{filled:?}");
    assert!(browser.press(&filled, ("", ""), &[("user_code", &third.user)]).await.is_consent());
}

#[tokio::test]
async fn a_link_with_the_code_survives_the_login() {
    let acme = acme(|_| {}).await;
    let codes = Codes::of(&acme.start_device(&[]).await);
    let mut browser = Browser::plain(&acme.emulator);
    let login = browser.open(&format!("{}?user_code={}", codes.uri, codes.user)).await;
    let page = browser.log_in(&login, SAM, SAMS_PASSWORD).await;
    assert!(page.seen.text.contains(&format!("value=\"{}\"", codes.user)), "{page:?}");
}

#[tokio::test]
async fn a_person_who_denies_ends_the_flow() {
    let acme = acme(|_| {}).await;
    let codes = Codes::of(&acme.start_device(&[]).await);
    let mut browser = Browser::plain(&acme.emulator);
    let consent = confirm(&mut browser, &codes).await;
    assert_eq!(browser.deny(&consent).await.heading(), "Access denied");
    let expected = error("access_denied", "end-user denied authorization");
    assert_eq!(acme.poll(&codes).await.oauth_error(), expected);
    let late = browser.allow(&consent).await;
    assert!(late.seen.text.contains(WRONG_CODE), "{late:?}");
    assert_eq!(acme.poll_later(&codes).await.oauth_error(), expected);
}

#[tokio::test]
async fn polling_too_fast_slows_the_device_down() {
    let acme = acme(|_| {}).await;
    let codes = Codes::of(&acme.start_device(&[]).await);
    let error_of = async || acme.poll(&codes).await.oauth_error().0;
    assert_eq!(error_of().await, "authorization_pending");
    acme.emulator.control().advance(Duration::from_secs(4));
    assert_eq!(error_of().await, "slow_down");
    acme.emulator.control().advance(Duration::from_secs(9));
    assert_eq!(error_of().await, "slow_down");
    acme.emulator.control().advance(Duration::from_secs(15));
    assert_eq!(error_of().await, "authorization_pending");
}

#[tokio::test]
async fn the_codes_are_good_for_ten_minutes() {
    let acme = acme(|_| {}).await;
    let codes = Codes::of(&acme.start_device(&[]).await);
    let mut browser = Browser::plain(&acme.emulator);
    let consent = confirm(&mut browser, &codes).await;
    assert!(consent.is_consent());
    acme.emulator.control().advance(Duration::from_secs(600));
    assert_eq!(acme.poll(&codes).await.oauth_error(), error("invalid_grant", "expired device code"));
    let late = browser.allow(&consent).await;
    assert!(late.seen.text.contains(WRONG_CODE), "{late:?}");
}

#[tokio::test]
async fn a_code_that_nobody_was_given_is_refused_on_the_page() {
    let acme = acme(|_| {}).await;
    let mut browser = Browser::plain(&acme.emulator);
    let login = browser.open(&acme.url("/setup/connect")).await;
    let page = browser.log_in(&login, SAM, SAMS_PASSWORD).await;
    for code in ["AAAAAAAA", "", "<script>", &"9".repeat(300)] {
        let refused = browser.press(&page, ("", ""), &[("user_code", code)]).await;
        assert!(refused.seen.text.contains(WRONG_CODE), "{refused:?}");
        assert!(!refused.seen.text.contains("<script>"));
    }
}

#[tokio::test]
async fn apps_without_the_flow_unknown_apps_and_wrong_secrets_are_refused_from_the_start() {
    let acme = acme(|_| {}).await;
    let off = error("invalid_grant", "device flow is not enabled for the app");
    for (form, expected) in [
        (vec![("response_type", "device_code"), ("client_id", KEY)], off.clone()),
        (vec![("grant_type", "device"), ("client_id", KEY), ("client_secret", SECRET), ("code", "x")], off),
        (
            vec![("response_type", "device_code"), ("client_id", "unknown")],
            error("invalid_client_id", "client identifier invalid"),
        ),
        (
            vec![("response_type", "device_code"), ("client_id", CONNECTED_KEY), ("client_secret", "wrong")],
            error("invalid_client", "invalid client credentials"),
        ),
        (
            vec![("response_type", "device_code"), ("client_id", CONNECTED_KEY), ("scope", "api web")],
            error("invalid_scope", "the requested scope is not allowed"),
        ),
        (
            vec![("grant_type", "device"), ("client_id", CONNECTED_KEY), ("client_secret", CONNECTED_SECRET)],
            error("invalid_grant", "invalid device code"),
        ),
        (
            vec![("response_type", "token"), ("client_id", CONNECTED_KEY)],
            error("unsupported_grant_type", "grant type not supported"),
        ),
    ] {
        let refused = acme.token_request(&form).await;
        assert_eq!((refused.status, refused.oauth_error()), (400, expected), "{form:?}");
    }
}

#[tokio::test]
async fn a_code_of_another_app_is_unknown() {
    let acme = acme(|scenario| scenario.apps.iter_mut().for_each(|app| app.device_flow = true)).await;
    let codes = Codes::of(&acme.start_device(&[]).await);
    let form = [("grant_type", "device"), ("client_id", KEY), ("client_secret", SECRET), ("code", &codes.device)];
    assert_eq!(acme.token_request(&form).await.oauth_error(), error("invalid_grant", "invalid device code"));
}

#[tokio::test]
async fn a_public_app_polls_without_its_secret_and_a_confidential_one_does_not() {
    let pollers = [false, true];
    for required in pollers {
        let acme = acme(|scenario| connected(scenario).secret_required_for_web_server = required).await;
        let codes = Codes::of(&acme.start_device(&[]).await);
        let form = [("grant_type", "device"), ("client_id", CONNECTED_KEY), ("code", codes.device.as_str())];
        let expected = if required { "invalid_client" } else { "authorization_pending" };
        assert_eq!(acme.token_request(&form).await.oauth_error().0, expected);
    }
}

#[tokio::test]
async fn the_codes_are_asked_for_by_multipart_and_query_string_too_and_answered_in_any_format() {
    let acme = acme(|_| {}).await;
    let part = |name: &str, value: &str| {
        format!("--sep\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = part("response_type", "device_code") + &part("client_id", CONNECTED_KEY) + "--sep--\r\n";
    let url = acme.url("/services/oauth2/token");
    let request = acme.http.post(&url).header("content-type", "multipart/form-data; boundary=sep").body(body);
    Codes::of(&Seen::of(request.send().await.unwrap()).await);
    let query = format!("{url}?response_type=device_code&client_id={CONNECTED_KEY}&format=urlencoded");
    let answer = Seen::of(acme.http.post(query).send().await.unwrap()).await;
    assert!(answer.text.contains("&interval=5"), "{}", answer.text);
}

#[tokio::test]
async fn no_refresh_token_is_given_without_its_scope_or_with_a_policy_that_expires_it_at_once() {
    for (scope, policy) in [("api", RefreshTokenPolicy::Infinite), ("api refresh_token", RefreshTokenPolicy::Zero)] {
        let acme = acme(|scenario| connected(scenario).refresh_token_policy = policy).await;
        let codes = Codes::of(&acme.start_device(&[("scope", scope)]).await);
        let mut browser = Browser::plain(&acme.emulator);
        let consent = confirm(&mut browser, &codes).await;
        browser.allow(&consent).await;
        let tokens = acme.poll(&codes).await;
        assert_eq!(tokens.status, 200, "{}", tokens.text);
        assert!(tokens.json().get("refresh_token").is_none(), "{}", tokens.text);
    }
}

#[tokio::test]
async fn an_uninstalled_connected_app_never_completes_the_flow_not_even_for_who_approved_it() {
    let acme = acme(|scenario| {
        connected(scenario).state = AppState::NotInstalled;
        scenario.profiles.get_mut("System Administrator").unwrap().approve_uninstalled_apps = true;
    })
    .await;
    let codes = Codes::of(&acme.start_device(&[]).await);
    let mut browser = Browser::plain(&acme.emulator);
    let login = browser.open(&codes.uri).await;
    let page = browser.log_in(&login, "admin@acme.example", "correct-horse").await;
    let refused = browser.press(&page, ("", ""), &[("user_code", &codes.user)]).await;
    assert_eq!(refused.seen.status, 400);
    assert!(refused.seen.text.contains("app must be installed into org"), "{refused:?}");
    assert_eq!(acme.poll(&codes).await.oauth_error().0, "authorization_pending");
}

#[tokio::test]
async fn at_the_login_host_the_person_decides_the_org_and_the_device_finds_it() {
    let acme = acme(|scenario| {
        let (name, id) = ("uat".to_owned(), "00DgL000000UATE".to_owned());
        scenario.sandboxes = vec![SandboxSpec { name, id, copies_apps: true }];
    })
    .await;
    let tls = tls_client(&acme.emulator);
    let ask = async |host: &str, form: &[(&str, &str)]| {
        let request = tls.post(format!("https://{host}/services/oauth2/token")).form(form);
        Seen::of(request.send().await.unwrap()).await
    };
    let start = [("response_type", "device_code"), ("client_id", CONNECTED_KEY)];
    let codes = Codes::of(&ask("test.salesforce.com", &start).await);
    assert_eq!(codes.uri, "https://test.salesforce.com/setup/connect");
    let mut browser = Browser::tls(&acme.emulator);
    let login = browser.open(&codes.uri).await;
    let page = browser.log_in(&login, "sam@acme.example.uat", SAMS_PASSWORD).await;
    let consent = browser.press(&page, ("", ""), &[("user_code", &codes.user)]).await;
    browser.allow(&consent).await;
    let poll = [
        ("grant_type", "device"),
        ("client_id", CONNECTED_KEY),
        ("client_secret", CONNECTED_SECRET),
        ("code", codes.device.as_str()),
    ];
    let elsewhere = ask("acme.my.salesforce.com", &poll).await;
    assert_eq!(elsewhere.oauth_error(), error("invalid_grant", "invalid device code"));
    acme.emulator.control().advance(Duration::from_secs(5));
    let tokens = ask("test.salesforce.com", &poll).await;
    assert_eq!(tokens.json()["instance_url"], "https://acme--uat.sandbox.my.salesforce.com", "{}", tokens.text);
}

#[tokio::test]
async fn a_code_of_one_my_domain_is_unknown_at_another() {
    let acme = acme(|scenario| {
        let (name, id) = ("uat".to_owned(), "00DgL000000UATE".to_owned());
        scenario.sandboxes = vec![SandboxSpec { name, id, copies_apps: true }];
    })
    .await;
    let codes = Codes::of(&acme.start_device(&[]).await);
    let mut browser = Browser::tls(&acme.emulator);
    let login = browser.open("https://acme--uat.sandbox.my.salesforce.com/setup/connect").await;
    let page = browser.log_in(&login, "sam@acme.example.uat", SAMS_PASSWORD).await;
    let refused = browser.press(&page, ("", ""), &[("user_code", &codes.user)]).await;
    assert!(refused.seen.text.contains(WRONG_CODE), "{refused:?}");
}

#[tokio::test]
async fn a_form_from_elsewhere_answers_no_code() {
    let acme = acme(|_| {}).await;
    let codes = Codes::of(&acme.start_device(&[]).await);
    let mut browser = Browser::plain(&acme.emulator);
    confirm(&mut browser, &codes).await;
    let url = reqwest::Url::parse(&codes.uri).unwrap();
    let form = [("user_code", codes.user.as_str()), ("decision", "allow"), ("token", "guessed")];
    let forged = browser.follow(url.clone(), acme.http.post(url).form(&form)).await;
    assert_eq!(forged.seen.status, 400);
    assert_eq!(acme.poll(&codes).await.oauth_error().0, "authorization_pending");
}
