//! What becomes of tokens: revoked, and asked about.

use emulator::Effect;
use salesforce::{
    OAuthError, Recovery, Timestamp,
    error::OAuthCause,
    oauth::{ClientApp, Grant, IssuedToken, Revoked, exchange, introspect, revoke},
    secret::RefreshToken,
};

use crate::acme::{Acme, app, connected, integration, my_domain, refresh};

const REFRESH_TOKEN: &str = "5Aep.acme.connected.admin";
const REVOKE: &str = "POST /services/oauth2/revoke";

#[tokio::test]
async fn a_revoked_refresh_token_takes_its_sessions_with_it() {
    let acme = Acme::start().await;
    let (http, token) = (acme.http(), RefreshToken::from(REFRESH_TOKEN.to_owned()));
    let tokens = exchange(&http, &my_domain(), &connected(), &refresh(REFRESH_TOKEN)).await.unwrap();
    let revoked = revoke(&http, &my_domain(), IssuedToken::Refresh(&token)).await.unwrap();
    assert_eq!(revoked, Revoked::Now);
    let error = exchange(&http, &my_domain(), &connected(), &refresh(REFRESH_TOKEN)).await.unwrap_err();
    assert_eq!(error.cause(), Some(OAuthCause::RefreshTokenDead));
    let access = IssuedToken::Access(&tokens.access_token);
    assert_eq!(revoke(&http, &my_domain(), access).await.unwrap(), Revoked::Before);
    assert_eq!(revoke(&http, &my_domain(), IssuedToken::Refresh(&token)).await.unwrap(), Revoked::Before);
}

#[tokio::test]
async fn a_revocation_that_salesforce_cannot_serve_is_not_taken_for_done() {
    let acme = Acme::start().await;
    let token = RefreshToken::from("short-canary".to_owned());
    acme.fault_always(REVOKE, Effect::Maintenance { status: 503 });
    let error = revoke(&acme.http(), &my_domain(), IssuedToken::Refresh(&token)).await.unwrap_err();
    assert!(matches!(error.recovery(), Recovery::Retry { .. }), "{error}");
    acme.emulator.control().clear_faults();
    let body = "error=something_new&error_description=invalid+token%3A+short-canary".to_owned();
    acme.fault(REVOKE, Effect::Answer { status: 400, content_type: "text/plain".to_owned(), body });
    let error = revoke(&acme.http(), &my_domain(), IssuedToken::Refresh(&token)).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
}

#[tokio::test]
async fn introspection_tells_how_long_a_session_lasts() {
    let acme = Acme::start().await;
    let http = acme.http();
    let tokens = exchange(&http, &my_domain(), &integration(), &Grant::ClientCredentials).await.unwrap();
    let access = IssuedToken::Access(&tokens.access_token);
    let state = introspect(&http, &my_domain(), &integration(), access).await.unwrap();
    assert!(state.active);
    assert_eq!(state.scopes, ["api"]);
    assert_eq!(state.username.as_deref(), Some("integration@acme.example"));
    assert_eq!(state.client_id.as_deref(), Some("3MVG9.acme.integration"));
    let hour = Timestamp(state.issued_at.unwrap().0 + 3_600_000);
    assert_eq!(state.expires_at, Some(hour), "the app's session timeout");
    let other = introspect(&http, &my_domain(), &connected(), access).await.unwrap();
    assert!(!other.active, "another app's token is not seen");
    acme.emulator.control().expire_sessions();
    let state = introspect(&http, &my_domain(), &integration(), access).await.unwrap();
    assert!(!state.active);
}

#[tokio::test]
async fn introspection_of_a_refresh_token_names_its_scopes() {
    let acme = Acme::start().await;
    let token = RefreshToken::from(REFRESH_TOKEN.to_owned());
    let state = introspect(&acme.http(), &my_domain(), &connected(), IssuedToken::Refresh(&token)).await.unwrap();
    assert!(state.active && state.scopes.iter().any(|scope| scope == "refresh_token"), "{state:?}");
    assert_eq!(state.expires_at, None);
}

#[tokio::test]
async fn introspection_needs_the_right_secret() {
    let acme = Acme::start().await;
    let token = RefreshToken::from(REFRESH_TOKEN.to_owned());
    let token = IssuedToken::Refresh(&token);
    let wrong = app("3MVG9.acme.connected", "wrong one");
    let error = introspect(&acme.http(), &my_domain(), &wrong, token).await.unwrap_err();
    assert_eq!(error.cause(), Some(OAuthCause::WrongSecret));
    let public = ClientApp { client_secret: None, ..connected() };
    let error = introspect(&acme.http(), &my_domain(), &public, token).await.unwrap_err();
    assert!(matches!(error, OAuthError::SecretMissing { .. }));
}
