//! Ways to connect in which a person goes to Salesforce in between: by a browser, and by a code on another device.

use std::net::TcpListener;

use emulator::Scenario;
use orgtide::{
    app::{
        App,
        connect::{AppChoice, ConnectRequest, device::DevicePoll},
    },
    diagnose::Quiet,
    error::Error,
    store::{connections::Confirmed, journal::Actor},
};
use salesforce::{error::OAuthCause, oauth::CallbackError};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::{
    org::{Acme, Ended},
    person::{Answer, Person, Seen},
};

pub(crate) const MIA: (&str, &str) = ("mia@nordlicht.example", "nordlicht-mia-password");
pub(crate) const OTHER: (&str, &str) = ("karin@nordlicht.example", "nordlicht-admin-password");
pub(crate) const RHEA: (&str, &str) = ("rhea@meridian-wealth.example", "meridian-admin-password");
pub(crate) const BROWSER: &str = "one browser's session";

/// A callback on this machine that nobody else uses at the moment.
fn free_callback() -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("http://localhost:{port}/OauthRedirect")
}

/// An org set up by guide G3 or one of its mistakes, with the callback that the command line uses.
pub(crate) async fn nordlicht(variant: &str, callback: &str) -> Acme {
    let mut scenario = Scenario::builtin(variant).unwrap();
    let apps = scenario.apps.iter_mut().filter(|app| app.name == "mailfino");
    apps.for_each(|app| app.callback_urls.push(callback.to_owned()));
    let org = Acme::of(scenario).await;
    std::fs::write(
        org.directory.path().join("config.toml"),
        "[client_apps.nordlicht]\nclient_id = '3MVG9.nordlicht.mailfino'\nclient_secret = 'nordlicht-mailfino-secret'\n\
         orgs = ['nordlicht.my.salesforce.com']\n",
    )
    .unwrap();
    org
}

/// Runs `connect` by the web server flow, with a person at the browser.
async fn connect_by_browser(org: &Acme, callback: &str, answer: Answer) -> (Ended, Option<Seen>) {
    let config = org.directory.path().join("config.toml").display().to_string();
    let line = format!(
        "connect nordlicht --org nordlicht.my.salesforce.com --flow web-server --app --no-browser --callback {callback} \
         --json"
    );
    let mut child = org.spawn_with(&line, &[("ORGTIDE_CONFIG", &config)]);
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = out.next_line().await.unwrap().unwrap();
    let opened: Value = serde_json::from_str(&first).unwrap();
    let Some(url) = opened["url"].as_str() else {
        let code = child.wait().await.unwrap().code().unwrap();
        return (Ended { code, out: first, err: String::new() }, None);
    };
    assert_eq!(opened["callback"], callback);
    let seen = Person::new(&org.emulator, MIA.0, MIA.1).visit(url, answer).await;
    let last = out.next_line().await.unwrap().unwrap_or_default();
    let code = child.wait().await.unwrap().code().unwrap();
    (Ended { code, out: last, err: String::new() }, Some(seen))
}

#[tokio::test]
async fn a_person_signs_in_in_their_browser_and_the_command_line_is_connected_as_them() {
    let callback = free_callback();
    let org = nordlicht("g3-mailfino", &callback).await;
    let (ended, seen) = connect_by_browser(&org, &callback, Answer::Allow).await;
    let seen = seen.unwrap();
    assert_eq!(ended.code, 0, "{ended:?} {seen:?}");
    let connected = ended.json();
    assert_eq!((&connected["username"], &connected["flow"]), (&MIA.0.into(), &"web-server".into()));
    assert!(seen.url.as_str().starts_with(&callback) && seen.text.contains("Connected"), "{seen:?}");
    assert!(!seen.text.contains("mailfino-secret"));
    let imported = org.run_with("import nordlicht Contact --json", &config(&org)).await;
    assert_eq!(imported.code, 0, "{imported:?}");
}

pub(crate) fn config(org: &Acme) -> [(&'static str, &'static str); 1] {
    let path = org.directory.path().join("config.toml").display().to_string();
    [("ORGTIDE_CONFIG", Box::leak(path.into_boxed_str()))]
}

#[tokio::test]
async fn somebody_who_presses_deny_is_told_so_in_both_places_and_nothing_is_saved() {
    let callback = free_callback();
    let org = nordlicht("g3-mailfino", &callback).await;
    let (ended, seen) = connect_by_browser(&org, &callback, Answer::Deny).await;
    let seen = seen.unwrap();
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.json()["error"]["message"].as_str().unwrap().contains("end-user denied"), "{ended:?}");
    assert!(seen.text.contains("Not connected") && seen.text.contains("end-user denied"), "{seen:?}");
    assert_eq!(org.run("status --json").await.json()["connections"], serde_json::json!([]));
}

#[tokio::test]
async fn who_waits_for_setup_to_take_effect_ends_the_wait_for_the_browser_by_one_ctrl_c() {
    let callback = free_callback();
    let org = nordlicht("g3-mailfino", &callback).await;
    let line = format!(
        "connect nordlicht --org nordlicht.my.salesforce.com --flow web-server --app --no-browser --callback {callback} \
         --wait --json"
    );
    let mut child = org.spawn_with(&line, &config(&org));
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(out.next_line().await.unwrap().unwrap().contains("\"open\""));
    let interrupted = Command::new("kill").args(["-INT", &child.id().unwrap().to_string()]).status().await.unwrap();
    assert!(interrupted.success());
    let last: Value = serde_json::from_str(&out.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!(last["error"]["finding"]["code"], "sign-in/over", "{last}");
    assert!(child.wait().await.unwrap().code().is_some_and(|code| code != 0));
}

#[tokio::test]
async fn a_callback_that_is_not_registered_is_found_before_a_browser_is_sent_away() {
    let callback = free_callback();
    let org = nordlicht("g3-mailfino", "https://elsewhere.example/callback").await;
    let (ended, seen) = connect_by_browser(&org, &callback, Answer::Allow).await;
    assert!(seen.is_none());
    assert_eq!(ended.code, 3, "{ended:?}");
    let error = &ended.json()["error"];
    assert!(error["message"].as_str().unwrap().contains("redirect_uri_mismatch"), "{error}");
}

#[tokio::test]
async fn an_org_that_no_configured_app_is_for_says_which_app_is_missing() {
    let org = nordlicht("g3-mailfino", "https://elsewhere.example/callback").await;
    let refused =
        org.run_with("connect beta --org beta.my.salesforce.com --flow web-server --app --json", &config(&org)).await;
    let error = &refused.json()["error"];
    assert_eq!((refused.code, &error["code"]), (3, &"client_app".into()), "{refused:?}");
    assert!(error["message"].as_str().unwrap().contains("OAUTH_EC_APP_NOT_FOUND"));
    assert!(error["remedy"].as_str().unwrap().contains("client_apps"));
    assert!(!refused.out.contains("3MVG9.nordlicht"), "{}", refused.out);
}

/// A sign-in that was begun in this process, and the query with which the browser came back.
pub(crate) async fn begin(org: &Acme, app: &App, callback: &str) -> String {
    begin_as(org, app, callback, by_configured_app(), MIA).await
}

pub(crate) async fn begin_as(
    org: &Acme,
    app: &App,
    callback: &str,
    request: ConnectRequest,
    who: (&str, &str),
) -> String {
    let begun = app.begin_web_server(request, callback, BROWSER).await.unwrap();
    let seen = Person::new(&org.emulator, who.0, who.1).visit(begun.url.as_str(), Answer::Allow).await;
    seen.url.query().unwrap().to_owned()
}

pub(crate) fn by_configured_app() -> ConnectRequest {
    ConnectRequest {
        name: None,
        org: "nordlicht.my.salesforce.com".to_owned(),
        customer: None,
        app: AppChoice::Configured { name: None },
        api_version: None,
        confirmed: Confirmed::default(),
        owner: None,
        actor: Actor::CommandLine,
        first_import: Default::default(),
    }
}

#[tokio::test]
async fn a_callback_serves_the_browser_that_began_and_it_serves_once() {
    let callback = receiving_nothing().await;
    let org = nordlicht("g3-mailfino", &callback).await;
    let app = org.app(&config(&org)).await;
    let query = begin(&org, &app, &callback).await;
    let of_callback = |error: Error| match error {
        Error::Callback { source, .. } => *source,
        other => panic!("{other}"),
    };
    let elsewhere = app.finish_web_server(&query, "another browser", &Quiet).await.unwrap_err();
    assert_eq!(of_callback(elsewhere), CallbackError::StateMismatch);
    let forged = app.finish_web_server("code=aPrx&state=guessed", BROWSER, &Quiet).await.unwrap_err();
    assert_eq!(of_callback(forged), CallbackError::StateMismatch);
    let bare = app.finish_web_server("code=aPrx", BROWSER, &Quiet).await.unwrap_err();
    assert_eq!(of_callback(bare), CallbackError::StateMissing);
    assert!(app.status().await.unwrap().is_empty());
    let connected = app.finish_web_server(&query, BROWSER, &Quiet).await.unwrap();
    assert_eq!(connected.user.preferred_username, MIA.0);
    let again = app.finish_web_server(&query, BROWSER, &Quiet).await.unwrap_err();
    assert_eq!(of_callback(again), CallbackError::StateMismatch);
}

#[tokio::test]
async fn a_callback_with_both_a_code_and_an_error_saves_nothing() {
    let callback = receiving_nothing().await;
    let org = nordlicht("g3-mailfino", &callback).await;
    let app = org.app(&config(&org)).await;
    let query = begin(&org, &app, &callback).await;
    let refused = app.finish_web_server(&format!("{query}&error=access_denied"), BROWSER, &Quiet).await.unwrap_err();
    assert!(matches!(refused, Error::Callback { source, .. } if *source == CallbackError::ErrorAndCode));
    assert!(app.status().await.unwrap().is_empty());
}

#[tokio::test]
async fn another_user_is_refused_unless_that_is_confirmed_and_what_they_approved_is_given_back() {
    let callback = receiving_nothing().await;
    let org = nordlicht("g3-mailfino", &callback).await;
    let app = org.app(&config(&org)).await;
    let query = begin(&org, &app, &callback).await;
    let first = app.finish_web_server(&query, BROWSER, &Quiet).await.unwrap().connection;
    let other = (OTHER.0, OTHER.1);
    let query = begin_as(&org, &app, &callback, by_configured_app(), other).await;
    let refused = app.finish_web_server(&query, BROWSER, &Quiet).await.unwrap_err();
    assert!(matches!(&refused, Error::OtherUser { expected, found, .. } if expected == MIA.0 && found == OTHER.0));
    assert_eq!(org.asked("POST /services/oauth2/revoke"), 1);
    let confirmed = Confirmed { other_user: true, ..Confirmed::default() };
    let query = begin_as(&org, &app, &callback, ConnectRequest { confirmed, ..by_configured_app() }, other).await;
    let second = app.finish_web_server(&query, BROWSER, &Quiet).await.unwrap();
    assert!(second.again);
    assert_eq!((second.connection.id, second.connection.username.as_str()), (first.id, OTHER.0));
}

#[tokio::test]
async fn connecting_again_ends_the_former_approval_so_that_another_connection_of_the_same_user_lives_on() {
    let callback = receiving_nothing().await;
    let org = nordlicht("g3-mailfino", &callback).await;
    let app = org.app(&config(&org)).await;
    let other = ConnectRequest { name: Some("other".to_owned()), ..by_configured_app() };
    let query = begin_as(&org, &app, &callback, other, MIA).await;
    app.finish_web_server(&query, BROWSER, &Quiet).await.unwrap();
    // A sixth approval of the same user and app would end the first.
    for _ in 0..6 {
        let query = begin(&org, &app, &callback).await;
        app.finish_web_server(&query, BROWSER, &Quiet).await.unwrap();
    }
    assert_eq!(org.asked("POST /services/oauth2/revoke"), 5, "the first sign-in replaces none");
    org.emulator.control().expire_sessions();
    for name in ["other", "nordlicht"] {
        let checked = org.run_with(&format!("check {name}"), &config(&org)).await;
        assert_eq!(checked.code, 0, "{checked:?}");
    }
}

#[tokio::test]
async fn a_sign_in_that_is_under_way_is_shown_as_pending_until_it_is_over() {
    let callback = receiving_nothing().await;
    let org = nordlicht("g3-mailfino", &callback).await;
    let app = org.app(&config(&org)).await;
    app.begin_web_server(by_configured_app(), &callback, BROWSER).await.unwrap();
    let status = org.run_with("status --json", &config(&org)).await.json();
    let pending = &status["sign_ins"][0];
    assert_eq!((&pending["connection"], &pending["state"]), (&"nordlicht".into(), &"pending".into()), "{status}");
    assert_eq!(status["connections"], serde_json::json!([]));
}

/// A callback at which somebody answers, as a web server does, and does nothing.
pub(crate) async fn receiving_nothing() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback(|| async { "received" });
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://localhost:{}/callback", address.port())
}

pub(crate) fn by_device() -> ConnectRequest {
    ConnectRequest {
        org: "meridian-wealth.my.salesforce.com".to_owned(),
        app: AppChoice::Own {
            client_id: "3MVG9.meridian.fynancial".to_owned(),
            client_secret: Some("meridian-fynancial-secret".to_owned().into()),
        },
        ..by_configured_app()
    }
}

fn is_pending(poll: &DevicePoll) -> bool {
    matches!(poll, DevicePoll::Pending { .. })
}

#[tokio::test]
async fn a_code_that_is_entered_on_another_device_connects() {
    let org = Acme::of(Scenario::builtin("g1-fynancial/completed").unwrap()).await;
    let app = org.app(&[]).await;
    let begun = app.begin_device(by_device(), BROWSER).await.unwrap();
    assert!(is_pending(&app.poll_device(&begun.id, BROWSER, &Quiet).await.unwrap()));
    let DevicePoll::Pending { again_in } = app.poll_device(&begun.id, BROWSER, &Quiet).await.unwrap() else { panic!() };
    assert_eq!(again_in.as_secs(), begun.interval.as_secs() + 5, "two polls at once are too many");
    let stranger = app.poll_device(&begun.id, "another browser", &Quiet).await.unwrap_err();
    assert!(matches!(stranger, Error::SignInOver), "{stranger}");
    let seen = Person::new(&org.emulator, RHEA.0, RHEA.1).visit(begun.prefilled_uri.as_str(), Answer::Allow).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    org.emulator.control().advance(again_in);
    let DevicePoll::Connected(connected) = app.poll_device(&begun.id, BROWSER, &Quiet).await.unwrap() else { panic!() };
    assert_eq!(connected.user.preferred_username, RHEA.0);
    let over = app.poll_device(&begun.id, BROWSER, &Quiet).await.unwrap_err();
    assert!(matches!(over, Error::SignInOver), "{over}");
}

#[tokio::test]
async fn a_code_that_is_refused_or_too_old_ends_the_sign_in() {
    let org = Acme::of(Scenario::builtin("g1-fynancial/completed").unwrap()).await;
    let app = org.app(&[]).await;
    let cause = |error: Error| match error {
        Error::SignIn { source, .. } => source.cause(),
        other => panic!("{other}"),
    };
    let begun = app.begin_device(by_device(), BROWSER).await.unwrap();
    Person::new(&org.emulator, RHEA.0, RHEA.1).visit(begun.prefilled_uri.as_str(), Answer::Deny).await;
    let denied = app.poll_device(&begun.id, BROWSER, &Quiet).await.unwrap_err();
    assert_eq!(cause(denied), Some(OAuthCause::Denied));
    let begun = app.begin_device(by_device(), BROWSER).await.unwrap();
    org.emulator.control().advance(std::time::Duration::from_secs(601));
    let expired = app.poll_device(&begun.id, BROWSER, &Quiet).await.unwrap_err();
    assert_eq!(cause(expired), Some(OAuthCause::DeviceCodeExpired));
    assert!(app.status().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_app_without_the_device_flow_is_named_before_anybody_is_sent_away() {
    let org = Acme::of(Scenario::builtin("g1-fynancial/device-flow-off").unwrap()).await;
    let refused = org.app(&[]).await.begin_device(by_device(), BROWSER).await.unwrap_err();
    assert!(refused.remedy().unwrap().contains("Enable Device Flow"), "{refused}");
}

#[tokio::test]
async fn the_command_line_shows_a_code_and_waits_for_it() {
    let org = Acme::of(Scenario::builtin("g1-fynancial/completed").unwrap()).await;
    let line = "connect meridian --org meridian-wealth.my.salesforce.com --flow device --client-id 3MVG9.meridian.fynancial --json";
    let mut child = org.spawn_with(line, &[("ORGTIDE_CLIENT_SECRET", "meridian-fynancial-secret")]);
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let shown: Value = serde_json::from_str(&out.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!(shown["user_code"].as_str().unwrap().len(), 8, "{shown}");
    let link = shown["prefilled_uri"].as_str().unwrap();
    Person::new(&org.emulator, RHEA.0, RHEA.1).visit(link, Answer::Allow).await;
    let connected: Value = serde_json::from_str(&out.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!(connected["username"], RHEA.0, "{connected}");
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_key_that_is_made_here_signs_in_once_its_certificate_is_uploaded() {
    let org = Acme::start().await;
    let file = org.directory.path().join("acme.crt");
    let made = org.run(&format!("certificate acme --output {}", file.display())).await;
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.err.contains("Enable JWT Bearer Flow"), "{made:?}");
    let certificate = std::fs::read_to_string(&file).unwrap();
    assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----") && certificate.len() < 4096);
    let line = "connect acme --org acme.my.salesforce.com --flow jwt-bearer --client-id 3MVG9.acme.connected \
                --username sam@acme.example --json";
    let before = org.run(line).await;
    assert_eq!(before.code, 3, "{before:?}");
    let mut uploaded = Scenario::builtin("acme").unwrap();
    let app = uploaded.apps.iter_mut().find(|app| app.consumer_key == "3MVG9.acme.connected").unwrap();
    app.certificate = Some(certificate);
    app.permitted_users = serde_json::from_value("admin_approved".into()).unwrap();
    app.profiles = vec!["Standard User".to_owned()];
    let org = org.replaced_by(uploaded).await;
    let connected = org.run(line).await;
    assert_eq!(connected.code, 0, "{connected:?}");
    assert_eq!(connected.json()["username"], "sam@acme.example");
    org.emulator.control().expire_sessions();
    let renewed = org.run("objects list acme").await;
    assert_eq!(renewed.code, 0, "another assertion gets another session: {renewed:?}");
    for (path, bytes) in org.every_file() {
        let holds_key = bytes.windows(18).any(|window| window == b"BEGIN PRIVATE KEY-");
        assert!(!holds_key, "{}", path.display());
    }
}

#[tokio::test]
async fn soap_login_works_where_a_person_chooses_it_and_says_when_it_ends() {
    let mut scenario = Scenario::builtin("acme").unwrap();
    scenario.org.soap_login = true;
    let org = Acme::of(scenario).await;
    let secrets = [("ORGTIDE_PASSWORD", "sams-password"), ("ORGTIDE_SECURITY_TOKEN", "TokenOfSam")];
    let line = "connect acme --org acme.my.salesforce.com --flow soap-login --username sam@acme.example";
    let connected = org.run_with(line, &secrets).await;
    assert_eq!(connected.code, 0, "{connected:?}");
    assert!(connected.err.contains("Summer '27"), "{}", connected.err);
    let imported = org.run("import acme Account --json").await;
    assert_eq!(imported.code, 0, "{imported:?}");
}
