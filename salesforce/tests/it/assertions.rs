//! Signing in by a signed assertion.

use emulator::{
    Scenario,
    scenario::{AppSpec, PermittedUsers},
};
use salesforce::{
    OAuthError, Recovery, Timestamp,
    error::OAuthCause,
    oauth::{Audience, ClientApp, PrivateKey, TokenSet, exchange_assertion},
};

use crate::acme::{Acme, TOKEN, host, my_domain};

const KEY: &str = "3MVG9.acme.integration";
const CERTIFICATE: &str = include_str!("keys/client.crt.pem");
const INTEGRATION: &str = "integration@acme.example";
const HOUR_MS: i64 = 3_600_000;

fn app_of(scenario: &mut Scenario) -> &mut AppSpec {
    let app = scenario.apps.iter_mut().find(|app| app.consumer_key == KEY).unwrap();
    app.certificate = Some(CERTIFICATE.to_owned());
    app
}

async fn acme(change: impl FnOnce(&mut AppSpec)) -> Acme {
    Acme::start_with(|scenario| change(app_of(scenario))).await
}

fn key() -> PrivateKey {
    PrivateKey::from_pem(include_str!("keys/client.key.pem")).unwrap()
}

/// Emulated time.
fn now(acme: &Acme) -> Timestamp {
    Timestamp(acme.emulator.control().now().timestamp_millis())
}

async fn sign_in(acme: &Acme, user: &str, now: Timestamp) -> Result<(TokenSet, Audience), OAuthError> {
    let app = ClientApp { client_id: KEY.to_owned(), client_secret: None };
    exchange_assertion(&acme.http(), &my_domain(), &app, &key(), user, now, None).await
}

#[tokio::test]
async fn a_preapproved_user_signs_in_without_secret_and_without_refresh_token() {
    let acme = acme(|_| {}).await;
    let (tokens, audience) = sign_in(&acme, INTEGRATION, now(&acme)).await.unwrap();
    assert_eq!(audience, Audience(host("login.salesforce.com")));
    assert_eq!((tokens.refresh_token.is_none(), tokens.scopes.as_slice()), (true, &["api".to_owned()][..]));
    assert_eq!(tokens.instance_url, my_domain());
    assert_eq!(acme.count(TOKEN), 1);
    sign_in(&acme, INTEGRATION, now(&acme)).await.unwrap();
}

#[tokio::test]
async fn a_wrong_audience_leads_to_the_next_and_the_accepted_one_is_told() {
    let acme = acme(|_| {}).await;
    let app = ClientApp { client_id: KEY.to_owned(), client_secret: None };
    let (http, now, wrong) = (acme.http(), now(&acme), Audience(host("test.salesforce.com")));
    let signed_in = exchange_assertion(&http, &my_domain(), &app, &key(), INTEGRATION, now, Some(&wrong)).await;
    let (_, accepted) = signed_in.unwrap();
    assert_eq!(accepted, Audience(host("login.salesforce.com")));
    assert_eq!(acme.count(TOKEN), 2);
    let own = Audience(my_domain());
    let signed_in = exchange_assertion(&http, &my_domain(), &app, &key(), INTEGRATION, now, Some(&own)).await;
    assert_eq!(signed_in.unwrap().1, own);
    assert_eq!(acme.count(TOKEN), 3);
}

#[tokio::test]
async fn an_hour_of_clock_skew_is_survived_in_both_directions() {
    let acme = acme(|_| {}).await;
    for (skew, requests) in [(-HOUR_MS, 2), (HOUR_MS, 1), (-400_000, 2), (-200_000, 1)] {
        let before = acme.count(TOKEN);
        sign_in(&acme, INTEGRATION, Timestamp(now(&acme).0 + skew)).await.unwrap();
        assert_eq!(acme.count(TOKEN) - before, requests, "{skew}");
    }
}

#[tokio::test]
async fn each_stage_of_setting_up_names_its_cause() {
    let other_certificate = acme(|app| app.certificate = Some(include_str!("keys/other.crt.pem").to_owned())).await;
    let error = sign_in(&other_certificate, INTEGRATION, now(&other_certificate)).await.unwrap_err();
    assert_eq!(error.cause(), Some(OAuthCause::AssertionInvalid));
    assert!(OAuthCause::AssertionInvalid.may_be_propagation());

    let no_flow = acme(|app| app.certificate = None).await;
    let error = sign_in(&no_flow, INTEGRATION, now(&no_flow)).await.unwrap_err();
    assert_eq!(error.cause(), Some(OAuthCause::AssertionInvalid));

    let unapproved = acme(|app| app.permitted_users = PermittedUsers::All).await;
    let error = sign_in(&unapproved, INTEGRATION, now(&unapproved)).await.unwrap_err();
    assert_eq!(error.cause(), Some(OAuthCause::NotApproved));

    let approved = acme(|_| {}).await;
    let error = sign_in(&approved, "sam@acme.example", now(&approved)).await.unwrap_err();
    assert_eq!(error.cause(), Some(OAuthCause::NotAdminApproved));
    let error = sign_in(&approved, "nobody@acme.example", now(&approved)).await.unwrap_err();
    assert_eq!(error.cause(), Some(OAuthCause::NotApproved));

    let no_scope = acme(|app| app.scopes = vec!["api".to_owned()]).await;
    let error = sign_in(&no_scope, INTEGRATION, now(&no_scope)).await.unwrap_err();
    assert_eq!(error.cause(), Some(OAuthCause::NotPreauthorized));
    assert_eq!(error.recovery(), Recovery::Configure);

    let app = ClientApp { client_id: "3MVG9.nobody".to_owned(), client_secret: None };
    let now = now(&approved);
    let unknown = exchange_assertion(&approved.http(), &my_domain(), &app, &key(), INTEGRATION, now, None).await;
    assert_eq!(unknown.unwrap_err().cause(), Some(OAuthCause::UnknownClient));
}
