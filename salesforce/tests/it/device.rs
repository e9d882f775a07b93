//! Signing in by a code on another device.

use std::time::Duration;

use emulator::{Effect, Scenario};
use salesforce::{
    OAuthError, OrgUrl, Recovery,
    error::OAuthCause,
    oauth::{ClientApp, DeviceStart, Grant, TokenSet, exchange, start_device},
};

use crate::{
    acme::{Acme, TOKEN, app, host},
    browser::{Browser, Person},
};

const RHEA: Person<'_> =
    Person { username: "rhea@meridian-wealth.example", password: "meridian-admin-password", decision: "allow" };

/// The org of guide G1, and its app.
struct Meridian {
    acme: Acme,
    login: OrgUrl,
    app: ClientApp,
}

impl Meridian {
    async fn of(variant: &str) -> Self {
        let acme = Acme::of(Scenario::builtin(&format!("g1-fynancial/{variant}")).unwrap()).await;
        let login = host(&acme.own_host());
        Self { acme, login, app: app("3MVG9.meridian.fynancial", "meridian-fynancial-secret") }
    }

    async fn start(&self) -> Result<DeviceStart, OAuthError> {
        start_device(&self.acme.http(), &self.login, &self.app, &["api", "refresh_token"]).await
    }

    async fn poll(&self, start: &DeviceStart) -> Result<TokenSet, OAuthError> {
        let grant = Grant::Device { device_code: start.device_code.clone() };
        exchange(&self.acme.http(), &self.login, &self.app, &grant).await
    }

    async fn poll_later(&self, start: &DeviceStart) -> Result<TokenSet, OAuthError> {
        self.acme.emulator.control().advance(start.interval);
        self.poll(start).await
    }
}

#[tokio::test]
async fn a_code_that_a_person_confirms_brings_tokens() {
    let org = Meridian::of("completed").await;
    let start = org.start().await.unwrap();
    assert_eq!((start.user_code.len(), start.interval), (8, Duration::from_secs(5)));
    assert_eq!(start.verification_uri.as_str(), format!("{}/setup/connect", org.login));
    let pending = org.poll(&start).await.unwrap_err();
    assert_eq!(pending.cause(), Some(OAuthCause::AuthorizationPending));
    assert_eq!(pending.recovery(), Recovery::Retry { after: None });
    let ended = Browser::new(&org.acme).walk(&start.prefilled_uri(), RHEA).await;
    assert!(ended.text.contains("connected"), "{ended:?}");
    let tokens = org.poll_later(&start).await.unwrap();
    assert!(tokens.refresh_token.is_some());
    assert_eq!(tokens.instance_url, org.login);
    let again = org.poll_later(&start).await.unwrap_err();
    assert_eq!(again.cause(), Some(OAuthCause::DeviceCodeExpired));
}

#[tokio::test]
async fn polls_that_come_too_fast_are_told_to_slow_down() {
    let org = Meridian::of("completed").await;
    let start = org.start().await.unwrap();
    org.poll(&start).await.unwrap_err();
    let error = org.poll(&start).await.unwrap_err();
    assert_eq!(error.cause(), Some(OAuthCause::SlowDown));
    assert_eq!(error.recovery(), Recovery::Retry { after: None });
    assert_eq!(org.acme.count(TOKEN), 3, "no poll is repeated by itself");
}

#[tokio::test]
async fn a_denial_and_a_code_that_is_too_old_end_the_attempt() {
    let org = Meridian::of("completed").await;
    let start = org.start().await.unwrap();
    Browser::new(&org.acme).walk(&start.prefilled_uri(), RHEA.denying()).await;
    let denied = org.poll_later(&start).await.unwrap_err();
    assert_eq!(denied.cause(), Some(OAuthCause::Denied));
    assert_eq!(denied.recovery(), Recovery::Reauthorize);

    let start = org.start().await.unwrap();
    org.acme.emulator.control().advance(salesforce::oauth::DEVICE_CODE_LIFE);
    let expired = org.poll(&start).await.unwrap_err();
    assert_eq!(expired.cause(), Some(OAuthCause::DeviceCodeExpired));
    assert_eq!(expired.recovery(), Recovery::Reauthorize);
}

#[tokio::test]
async fn what_is_set_up_wrongly_is_told_before_a_code_is_shown() {
    for (variant, cause) in [
        ("app-of-another-org", OAuthCause::AppOfOtherOrg),
        ("app-disabled", OAuthCause::AppDisabled),
        ("not-waited", OAuthCause::UnknownClient),
        ("packaged-not-installed", OAuthCause::AppOfOtherOrg),
        ("device-flow-off", OAuthCause::DeviceFlowOff),
        ("scopes-not-named", OAuthCause::InvalidScope),
    ] {
        let org = Meridian::of(variant).await;
        let error = org.start().await.unwrap_err();
        assert_eq!(error.cause(), Some(cause), "{variant}: {error}");
        assert_eq!(error.recovery(), Recovery::Configure, "{variant}");
    }
    let mut org = Meridian::of("completed").await;
    org.app = app("3MVG9.meridian.fynancial", "that of another app");
    assert_eq!(org.start().await.unwrap_err().cause(), Some(OAuthCause::WrongSecret));
}

#[tokio::test]
async fn a_page_to_enter_the_code_that_is_not_salesforces_is_not_shown() {
    let org = Meridian::of("completed").await;
    let body = r#"{"device_code":"d","user_code":"AB","verification_uri":"https://evil.example/setup/connect"}"#;
    let content_type = "application/json".to_owned();
    org.acme.fault(TOKEN, Effect::Answer { status: 200, content_type, body: body.to_owned() });
    let error = org.start().await.unwrap_err();
    assert!(matches!(error, OAuthError::Unexpected { .. }), "{error}");
    assert!(!error.to_string().contains("evil"), "{error}");
}
