//! Waiting for changes in Setup to take effect, with time that the test moves.

use std::time::Duration;

use emulator::{Passage, Scenario, scenario::Setup};
use orgtide::{
    app::connect::{ConnectRequest, Offered},
    diagnose::Quiet,
};
use salesforce::oauth::Flow;

use crate::{
    connect::{BROWSER, MIA, RHEA, begin, by_configured_app, by_device, config, nordlicht, receiving_nothing},
    doctor::{OrgTime, Patient, request},
    keeper::scene::ROTATING,
    org::{Acme, CLIENT_ID, CLIENT_SECRET, ORG, TOKEN},
    person::{Answer, Person},
};

const REVOKE: &str = "POST /services/oauth2/revoke";
const EIGHT_MINUTES: Duration = Duration::from_secs(480);

/// An org in which changes take eight minutes, and time stands still.
async fn slow(mut scenario: Scenario) -> Acme {
    (scenario.time, scenario.org.propagation_minutes) = (Passage::Frozen, 8);
    Acme::of(scenario).await
}

fn change(org: &Acme, change: impl FnOnce(&mut Setup)) {
    org.emulator.control().change_setup(change).unwrap();
}

/// The codes that were waited for, each once.
fn waited_for(patient: &Patient) -> Vec<String> {
    let mut codes = patient.waited_for();
    codes.dedup();
    codes
}

#[tokio::test]
async fn a_scope_that_was_just_added_is_waited_for_with_a_new_session_each_time() {
    let mut scenario = Scenario::builtin("acme").unwrap();
    let app = scenario.apps.iter_mut().find(|app| app.consumer_key == CLIENT_ID).unwrap();
    app.scopes = vec!["id".to_owned()];
    let org = slow(scenario).await;
    let time = OrgTime::of(&org);
    let app = org.app_waiting_on(&[], time.clone()).await;
    let wanted = || request("acme", ORG, (CLIENT_ID, CLIENT_SECRET));
    let impatient = app.connect(wanted(), Offered::ClientCredentials, &Quiet).await.unwrap_err();
    assert_eq!(impatient.finding().unwrap().code, "api/scope-api-missing");
    change(&org, |setup| setup.app_mut(CLIENT_ID).unwrap().scopes.push("api".to_owned()));
    let patient = Patient::default();
    let connected = app.connect(wanted(), Offered::ClientCredentials, &patient).await.unwrap();
    assert!(connected.connection.scopes.contains(&"api".to_owned()), "{:?}", connected.connection.scopes);
    assert_eq!((time.slept(), org.asked(TOKEN)), (EIGHT_MINUTES, 1 + 17));
    assert_eq!(waited_for(&patient), ["api/scope-api-missing"]);
}

#[tokio::test]
async fn one_patience_covers_the_sign_in_and_what_is_found_after_it() {
    let mut scenario = Scenario::builtin("acme").unwrap();
    let app = scenario.apps.iter_mut().find(|app| app.consumer_key == CLIENT_ID).unwrap();
    (app.fresh, app.scopes) = (true, vec!["id".to_owned()]);
    let org = slow(scenario).await;
    let time = OrgTime::of(&org);
    let app = org.app_waiting_on(&[], time.clone()).await;
    let patient = Patient::default();
    let wanted = request("acme", ORG, (CLIENT_ID, CLIENT_SECRET));
    let refused = app.connect(wanted, Offered::ClientCredentials, &patient).await.unwrap_err();
    assert_eq!(refused.finding().unwrap().code, "api/scope-api-missing");
    assert_eq!(time.slept(), Duration::from_secs(600));
    assert_eq!(waited_for(&patient), ["sign-in/unknown-consumer-key", "api/scope-api-missing"]);
}

#[tokio::test]
async fn a_permission_that_was_just_given_is_waited_for_with_the_session_of_the_person_who_signed_in() {
    let callback = receiving_nothing().await;
    let org = nordlicht("g3-mailfino", &callback).await;
    let may = |setup: &mut Setup, may| setup.profiles.get_mut("Sales User").unwrap().api_enabled = may;
    change(&org, |setup| may(setup, false));
    let time = OrgTime::of(&org);
    let app = org.app_waiting_on(&config(&org), time.clone()).await;
    let query = begin(&org, &app, &callback).await;
    change(&org, |setup| {
        setup.org.propagation_minutes = 8;
        may(setup, true);
    });
    let patient = Patient::default();
    let connected = app.finish_web_server(&query, BROWSER, &patient).await.unwrap();
    assert_eq!(connected.user.preferred_username, MIA.0);
    assert_eq!((org.asked(TOKEN), org.asked(REVOKE)), (1, 0), "the code serves once, and the approval is kept");
    assert!(time.slept() > Duration::from_secs(420) && time.slept() <= EIGHT_MINUTES, "{:?}", time.slept());
    assert_eq!(waited_for(&patient), ["api/api-currently-disabled"]);
}

#[tokio::test]
async fn a_refresh_token_that_was_replaced_is_not_sent_again_while_somebody_waits() {
    let mut scenario = Scenario::builtin("acme").unwrap();
    scenario.profiles.get_mut("Standard User").unwrap().api_enabled = false;
    let org = slow(scenario).await;
    let app = org.app_waiting_on(&[], OrgTime::of(&org)).await;
    change(&org, |setup| setup.profiles.get_mut("Standard User").unwrap().api_enabled = true);
    let offered = Offered::RefreshToken { refresh_token: ROTATING.2.to_owned().into() };
    let wanted = request("acme", ORG, (ROTATING.0, ROTATING.1));
    let connected = app.connect(wanted, offered, &Patient::default()).await.unwrap();
    assert_eq!((connected.connection.flow, org.asked(TOKEN)), (Flow::RefreshToken, 1));
    let examined = app.check("acme", Vec::new(), &Quiet).await.unwrap();
    assert!(examined.obstacle().is_none(), "{:?}", examined.findings);
}

#[tokio::test]
async fn a_sign_in_in_a_browser_is_begun_once_the_new_app_and_its_callback_are_known() {
    let callback = receiving_nothing().await;
    let org = nordlicht("g3-mailfino", "https://elsewhere.example/callback").await;
    change(&org, |setup| {
        setup.org.propagation_minutes = 8;
        setup.app_mut("3MVG9.nordlicht.mailfino").unwrap().callback_urls.push(callback.clone());
    });
    let time = OrgTime::of(&org);
    let app = org.app_waiting_on(&config(&org), time.clone()).await;
    let patient = Patient::default();
    let begin = async || app.begin_web_server(by_configured_app(), &callback, BROWSER).await;
    assert_eq!(begin().await.unwrap_err().finding().unwrap().code, "sign-in/callback-mismatch");
    let begun = app.patiently(&patient, begin).await.unwrap();
    assert!(time.slept() > Duration::from_secs(420) && time.slept() <= EIGHT_MINUTES, "{:?}", time.slept());
    assert_eq!(waited_for(&patient), ["sign-in/callback-mismatch"]);
    let seen = Person::new(&org.emulator, MIA.0, MIA.1).visit(begun.url.as_str(), Answer::Allow).await;
    app.finish_web_server(seen.url.query().unwrap(), BROWSER, &Quiet).await.unwrap();
}

#[tokio::test]
async fn a_code_for_another_device_is_shown_once_the_new_app_is_known() {
    let mut scenario = Scenario::builtin("g1-fynancial/completed").unwrap();
    scenario.apps.iter_mut().for_each(|app| app.fresh = true);
    let org = slow(scenario).await;
    let time = OrgTime::of(&org);
    let app = org.app_waiting_on(&[], time.clone()).await;
    let patient = Patient::default();
    let begun = app.patiently(&patient, async || app.begin_device(by_device(), BROWSER).await).await.unwrap();
    assert_eq!((time.slept(), waited_for(&patient)), (EIGHT_MINUTES, vec!["sign-in/unknown-consumer-key".to_owned()]));
    Person::new(&org.emulator, RHEA.0, RHEA.1).visit(begun.prefilled_uri.as_str(), Answer::Allow).await;
    org.emulator.control().advance(begun.interval);
    app.poll_device(&begun.id, BROWSER, &Quiet).await.unwrap();
    assert_eq!(app.status().await.unwrap().len(), 1);
}

#[tokio::test]
async fn servers_that_know_a_change_and_servers_that_do_not_are_outwaited() {
    let mut scenario = Scenario::builtin("g2-genfin/not-waited").unwrap();
    scenario.org.propagation_alternates = true;
    let org = slow(scenario).await;
    let time = OrgTime::of(&org);
    let app = org.app_waiting_on(&[], time.clone()).await;
    let wanted = ConnectRequest {
        org: "harbor-credit.my.salesforce.com".to_owned(),
        ..request("genfin", ORG, ("3MVG9.harbor.genfin", "harbor-genfin-secret"))
    };
    let connected = app.connect(wanted, Offered::ClientCredentials, &Patient::default()).await.unwrap();
    assert_eq!(connected.connection.name, "genfin");
    assert!(time.slept() >= Duration::from_secs(240) && time.slept() <= EIGHT_MINUTES, "{:?}", time.slept());
}
