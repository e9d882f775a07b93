//! Ways to sign in, and what a person learns when one is refused.

use std::net::TcpListener;

use emulator::Effect;
use salesforce::{
    OAuthError, Recovery,
    error::{OAuthCause, Setting},
    http::{Http, MappedHost},
    oauth::{Grant, exchange},
};

use crate::acme::{Acme, TOKEN, app, connected, host, integration, my_domain, password, refresh, rotating};

#[tokio::test]
async fn client_credentials_sign_in_on_the_my_domain() {
    let acme = Acme::start().await;
    let tokens = exchange(&acme.http(), &my_domain(), &integration(), &Grant::ClientCredentials).await.unwrap();
    assert_eq!(tokens.instance_url, my_domain());
    assert!(tokens.refresh_token.is_none());
    assert_eq!(tokens.org_id.unwrap().len(), 18);
    assert!(tokens.user_id.unwrap().starts_with("005"));
}

#[tokio::test]
async fn a_password_with_its_security_token_signs_in() {
    let acme = Acme::start().await;
    let tokens = exchange(&acme.http(), &my_domain(), &connected(), &password("correct-horse")).await.unwrap();
    assert!(tokens.refresh_token.is_none());
    assert_eq!(tokens.instance_url, my_domain());
}

#[tokio::test]
async fn a_refresh_token_signs_in_on_the_generic_host_and_leads_to_the_orgs_own() {
    let acme = Acme::start().await;
    let login = host("login.salesforce.com");
    let grant = refresh("5Aep.acme.connected.admin");
    let tokens = exchange(&acme.http(), &login, &connected(), &grant).await.unwrap();
    assert_eq!(tokens.instance_url, my_domain());
    assert!(tokens.refresh_token.is_none(), "without rotation none is repeated");
}

#[tokio::test]
async fn rotation_brings_a_new_refresh_token() {
    let acme = Acme::start().await;
    let grant = refresh("5Aep.acme.rotating.sam");
    let tokens = exchange(&acme.http(), &my_domain(), &rotating(), &grant).await.unwrap();
    assert_ne!(tokens.refresh_token.unwrap().expose(), "5Aep.acme.rotating.sam");
}

#[tokio::test]
async fn client_credentials_are_not_even_sent_to_a_generic_host() {
    let acme = Acme::start().await;
    for generic in ["login.salesforce.com", "test.salesforce.com"] {
        let refused = exchange(&acme.http(), &host(generic), &integration(), &Grant::ClientCredentials).await;
        let error = refused.unwrap_err();
        assert!(matches!(error, OAuthError::GenericHost { .. }), "{error}");
        assert_eq!(error.recovery(), Recovery::Configure);
    }
    assert!(acme.requests().is_empty());
}

#[tokio::test]
async fn each_refusal_names_its_cause_and_the_setting_that_is_wrong() {
    let acme = Acme::start().await;
    for (key, secret, cause, setting) in [
        ("3MVG9.nobody", "x", OAuthCause::UnknownClient, Setting::ConsumerKey),
        ("3MVG9.acme.integration", "wrong", OAuthCause::WrongSecret, Setting::ConsumerSecret),
        ("3MVG9.acme.norunas", "acme-norunas-secret", OAuthCause::NoRunAsUser, Setting::AppFlow),
        ("3MVG9.acme.connected", "acme-connected-secret", OAuthCause::ClientCredentialsOff, Setting::AppFlow),
        ("3MVG9.acme.full", "acme-full-secret", OAuthCause::NoUsableScope, Setting::AppScopes),
        ("3MVG9.acme.unassigned", "acme-unassigned-secret", OAuthCause::NotAdminApproved, Setting::AppPolicy),
        ("3MVG9.acme.inactive", "acme-inactive-secret", OAuthCause::InactiveUser, Setting::OrgUser),
        ("3MVG9.acme.disabled", "acme-disabled-secret", OAuthCause::AppDisabled, Setting::AppPolicy),
        ("3MVG9.acme.elsewhere", "acme-elsewhere-secret", OAuthCause::AppOfOtherOrg, Setting::OrgAddress),
    ] {
        let refused = exchange(&acme.http(), &my_domain(), &app(key, secret), &Grant::ClientCredentials).await;
        let error = refused.unwrap_err();
        assert_eq!(error.cause(), Some(cause), "{key}: {error}");
        assert_eq!(cause.setting(), Some(setting), "{key}");
        assert_eq!(error.recovery(), Recovery::Configure, "{key}");
        assert!(!error.to_string().contains(secret) || secret == "x", "{error}");
    }
    assert!(acme.timer.waits().is_empty(), "a refusal is not retried");
}

#[tokio::test]
async fn a_wrong_password_asks_for_new_credentials() {
    let acme = Acme::start().await;
    let error = exchange(&acme.http(), &my_domain(), &connected(), &password("wrong")).await.unwrap_err();
    assert_eq!(error.cause(), Some(OAuthCause::AuthenticationFailure));
    assert_eq!(error.recovery(), Recovery::Reauthorize);
    assert!(error.to_string().contains("Login History"), "{error}");
}

#[tokio::test]
async fn a_refresh_token_is_sent_once_when_its_answer_is_lost() {
    for effect in [Effect::LostAnswer, Effect::Maintenance { status: 503 }, Effect::Unavailable { retry_after: 1 }] {
        let acme = Acme::start().await;
        acme.fault(TOKEN, effect);
        let grant = refresh("5Aep.acme.rotating.sam");
        let error = exchange(&acme.http(), &my_domain(), &rotating(), &grant).await.unwrap_err();
        assert_eq!(acme.count(TOKEN), 1, "{error}");
        assert!(acme.timer.waits().is_empty());
    }
}

#[tokio::test]
async fn a_lost_answer_tells_that_the_refresh_token_may_be_spent() {
    let acme = Acme::start().await;
    acme.fault(TOKEN, Effect::LostAnswer);
    let grant = refresh("5Aep.acme.rotating.sam");
    let error = exchange(&acme.http(), &my_domain(), &rotating(), &grant).await.unwrap_err();
    assert!(error.may_have_redeemed(), "{error}");
}

#[tokio::test]
async fn client_credentials_are_sent_again_when_their_answer_is_lost() {
    let acme = Acme::start().await;
    acme.fault(TOKEN, Effect::LostAnswer);
    exchange(&acme.http(), &my_domain(), &integration(), &Grant::ClientCredentials).await.unwrap();
    assert_eq!(acme.count(TOKEN), 2);
}

#[tokio::test]
async fn an_unreachable_host_has_certainly_not_seen_the_refresh_token() {
    let acme = Acme::start().await;
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut settings = acme.settings();
    settings.mapped_hosts = vec![MappedHost { host: my_domain().host().to_owned(), address: closed }];
    let http = Http::new(settings).unwrap();
    let error = exchange(&http, &my_domain(), &rotating(), &refresh("5Aep.acme.rotating.sam")).await.unwrap_err();
    assert!(!error.may_have_redeemed(), "{error}");
    assert!(matches!(error, OAuthError::Wire { attempts: 6, .. }), "{error:?}");
    assert!(matches!(error.recovery(), Recovery::Retry { .. }));
}
