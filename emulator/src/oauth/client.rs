//! The app behind a request: which one it is, whether it can be used, and whether the caller is it.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::OAuthError;
use super::form::ClientCredentials;
use crate::call::Call;
use crate::jwt::Unverified;
use crate::org::Org;
use crate::scenario::{AppKind, AppSpec, AppState, Setup};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The app of Salesforce's own command line, which every org knows without installing it. It has no secret.
static SALESFORCE_CLI: LazyLock<AppSpec> = LazyLock::new(|| {
    let app = r#"
        name = "Salesforce CLI"
        kind = "connected_app"
        consumer_key = "PlatformCLI"
        consumer_secret = ""
        scopes = ["refresh_token", "api", "web"]
        callback_urls = ["http://localhost:1717/OauthRedirect"]
        secret_required_for_web_server = false
        secret_required_for_refresh = false
    "#;
    toml::from_str(app).expect("the app is written as a scenario writes one")
});

impl Org {
    /// The app with a consumer key as this org knows it: its own, Salesforce's, or another org's, which is not
    /// installed here.
    pub(crate) fn app<'a>(&self, call: &Call, setup: &'a Setup, consumer_key: &str) -> Option<Cow<'a, AppSpec>> {
        let of_salesforce = || Some(&*SALESFORCE_CLI).filter(|app| app.consumer_key == consumer_key);
        let own = setup.app(consumer_key).or_else(of_salesforce).map(Cow::Borrowed);
        own.or_else(|| self.shared.foreign_app(consumer_key, self.now(), call.number).map(Cow::Owned))
    }

    /// The app of a token request, when it can be used in this org.
    pub(super) fn usable_app<'a>(
        &self,
        call: &Call,
        setup: &'a Setup,
        consumer_key: Option<&str>,
    ) -> Result<Cow<'a, AppSpec>, OAuthError> {
        let unknown = || OAuthError::new("invalid_client_id", "client identifier invalid");
        let app = consumer_key.and_then(|key| self.app(call, setup, key)).ok_or_else(unknown)?;
        match (app.state, app.kind) {
            (AppState::Enabled, _) | (AppState::NotInstalled, AppKind::ConnectedApp) => Ok(app),
            (AppState::NotInstalled, AppKind::ExternalClientApp) => Err(OAuthError::app_not_found()),
            (AppState::Disabled, _) => {
                Err(OAuthError::new("oauth_flow_disabled", "The external client app or the OAuth plugin is disabled."))
            }
            (AppState::Blocked, _) => Err(OAuthError::new("app_blocked", "this app is blocked by admin")),
        }
    }

    /// Checks that the caller is the app: by an assertion or by its secret.
    pub(super) fn check_client(
        &self,
        call: &Call,
        app: &AppSpec,
        sent: &ClientCredentials,
        proof: Proof,
    ) -> Result<(), OAuthError> {
        let passes = match (&sent.assertion, &sent.secret) {
            (Some((assertion, kind)), _) => return self.check_client_assertion(call, app, assertion, kind.as_deref()),
            (None, Some(secret)) => app.consumer_secret.matches(secret),
            (None, None) => proof == Proof::Optional,
        };
        if passes { Ok(()) } else { Err(OAuthError::new("invalid_client", "invalid client credentials")) }
    }

    /// `private_key_jwt` (RFC 7523 §2.2): issuer and subject are the consumer key. Which words an org has for each
    /// failure is not documented, so all are those of a wrong secret, except for a type or `jti` with a code of its own.
    fn check_client_assertion(
        &self,
        call: &Call,
        app: &AppSpec,
        assertion: &str,
        kind: Option<&str>,
    ) -> Result<(), OAuthError> {
        let invalid = || OAuthError::new("invalid_client", "invalid client credentials");
        if kind != Some(ASSERTION_TYPE) {
            return Err(OAuthError::new("invalid_assertion_type", "client assertion type is invalid"));
        }
        let certificate = app.client_assertion_certificate.as_deref().or(app.certificate.as_deref());
        let certificate = certificate.ok_or_else(invalid)?;
        let assertion = Unverified::parse(assertion).ok_or_else(invalid)?;
        let claims = assertion.claims();
        let own = Some(app.consumer_key.as_str());
        if claims.issuer() != own || claims.text("sub") != own {
            return Err(invalid());
        }
        self.check_assertion(call, app, certificate, &assertion).map_err(|error| match error.error {
            "bad_jti_claim" => error,
            _ => invalid(),
        })
    }
}

/// Whether a caller proves to be an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    Required,
    /// A secret that is sent is checked all the same.
    Optional,
}
