//! What the keeper needs of the wire.

use futures_util::{FutureExt, future::BoxFuture};
use salesforce::{
    Http, OAuthError, OrgUrl, Timestamp,
    http::{MaySend, Timer},
    oauth::{
        Audience, ClientApp, Grant, PrivateKey, Renewed, SoapLogin, SoapVersion, TokenSet, exchange_assertion, renew,
        soap_login,
    },
    org::probe,
    secret::{Password, SecurityToken},
};

/// What a stored connection gets its next session with.
#[derive(Debug)]
pub enum Means {
    Grant {
        app: ClientApp,
        grant: Grant,
    },
    /// An assertion about `username`, made at `now`.
    Assertion {
        app: ClientApp,
        key: PrivateKey,
        username: String,
        audience: Option<Audience>,
        now: Timestamp,
    },
    SoapLogin {
        username: String,
        password: Password,
        security_token: Option<SecurityToken>,
    },
}

/// The place that sessions come from.
///
/// One call sends a refresh token once, and only if `may_send` says yes when the connection stands: whether it may be
/// sent again is the keeper's business. `known` is the API base that an answer without one stands for.
pub trait TokenEndpoint: Send + Sync {
    fn renew<'a>(
        &'a self,
        login: &'a OrgUrl,
        means: &'a Means,
        known: &'a OrgUrl,
        may_send: MaySend,
    ) -> BoxFuture<'a, Result<Renewed, OAuthError>>;

    /// The id of the org that answers at a host, without any grant; `None`: it does not tell.
    fn org_at<'a>(&'a self, _host: &'a OrgUrl) -> BoxFuture<'a, Option<String>> {
        std::future::ready(None).boxed()
    }

    fn timer(&self) -> &dyn Timer;
}

impl TokenEndpoint for Http {
    fn renew<'a>(
        &'a self,
        login: &'a OrgUrl,
        means: &'a Means,
        known: &'a OrgUrl,
        may_send: MaySend,
    ) -> BoxFuture<'a, Result<Renewed, OAuthError>> {
        match means {
            Means::Grant { app, grant } => renew(self, login, app, grant, known, may_send).boxed(),
            Means::Assertion { app, key, username, audience, now } => async move {
                let (tokens, _) = exchange_assertion(self, login, app, key, username, *now, audience.as_ref()).await?;
                Ok(admitted(tokens))
            }
            .boxed(),
            Means::SoapLogin { username, password, security_token } => async move {
                let security_token = security_token.as_ref();
                let who = SoapLogin { username, password, security_token, version: SoapVersion::NEWEST };
                Ok(admitted(soap_login(self, login, &who).await?))
            }
            .boxed(),
        }
    }

    fn org_at<'a>(&'a self, host: &'a OrgUrl) -> BoxFuture<'a, Option<String>> {
        async move { probe(self, host).await.ok().and_then(|probe| probe.org_id) }.boxed()
    }

    fn timer(&self) -> &dyn Timer {
        Http::timer(self)
    }
}

fn admitted(tokens: TokenSet) -> Renewed {
    Renewed { tokens, instance_refused: None }
}
