//! Redeems stored grants, alone: nothing else in the program asks the token endpoint for a stored connection.
//!
//! One renewal's path: take the lease → read the store again → if its session is not the rejected one, use that →
//! commit the intent → exchange, under a deadline below half the lease → commit the sealed answer → publish → give the
//! lease back. It runs in a task of its own: a caller that goes away does not end it between "redeemed" and "stored".
//!
//! An intent that stays open says that a refresh token was sent and its answer is not known. Whoever finds it waits
//! until the sender's deadline has passed, and sends the same token again. Where the token does not rotate, that works.
//! Where it does and the first request had arrived, Salesforce refuses, and only a new sign-in helps: no client can
//! survive that. Silence alone never ends a connection; a refusal does.

use std::{sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Either, select},
};
use ring::digest;
use salesforce::{
    Http, OAuthError, OrgUrl, Recovery, Timestamp,
    http::Timer,
    oauth::{ClientApp, Flow, Grant, Session, TokenSet, TokenSource, exchange},
    secret::{AccessToken, RefreshToken},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::state::{ConnectionEvent, ConnectionState};
use crate::{
    clock::SharedClock,
    store::{
        Store, StoreError,
        connections::Connection,
        credentials::CredentialKind,
        lease::{Holder, Lease},
    },
};

/// How long a lease on a grant is held at most.
pub(crate) const LEASE_TERM: Duration = Duration::from_secs(120);
/// No exchange takes longer; below half the lease.
const EXCHANGE_DEADLINE: Duration = Duration::from_secs(50);
/// Between two looks at a lease that somebody else holds.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How long others are waited for: two whole leases.
const LOOKS: u32 = 960;
/// A renewal that failed for a passing reason is worth repeating after this long.
const RETRY_LATER: Duration = Duration::from_secs(60);

/// The place that tokens come from.
pub trait TokenEndpoint: Send + Sync {
    fn exchange<'a>(
        &'a self,
        login: &'a OrgUrl,
        app: &'a ClientApp,
        grant: &'a Grant,
    ) -> BoxFuture<'a, Result<TokenSet, OAuthError>>;

    fn timer(&self) -> &dyn Timer;
}

impl TokenEndpoint for Http {
    fn exchange<'a>(
        &'a self,
        login: &'a OrgUrl,
        app: &'a ClientApp,
        grant: &'a Grant,
    ) -> BoxFuture<'a, Result<TokenSet, OAuthError>> {
        exchange(self, login, app, grant).boxed()
    }

    fn timer(&self) -> &dyn Timer {
        Http::timer(self)
    }
}

/// The sessions of one stored connection; cheap to clone.
#[derive(Clone)]
pub struct Keeper {
    kept: Arc<Kept>,
}

struct Kept {
    store: Arc<Store>,
    endpoint: Arc<dyn TokenEndpoint>,
    clock: SharedClock,
    holder: Holder,
    connection: String,
    state: Mutex<Current>,
}

/// What this process knows of the connection's session.
#[derive(Default)]
struct Current {
    session: Option<Session>,
    /// An answer that the store has not taken yet. It goes there before anything else happens.
    unstored: Option<Box<TokenSet>>,
}

/// A session as the store holds it, sealed.
#[derive(Serialize, Deserialize)]
struct StoredSession {
    access_token: String,
    instance: OrgUrl,
}

impl Keeper {
    /// Keeps the grant of the connection named `connection`.
    pub fn new(
        store: Arc<Store>,
        endpoint: Arc<dyn TokenEndpoint>,
        clock: SharedClock,
        holder: Holder,
        connection: String,
    ) -> Self {
        Self { kept: Arc::new(Kept { store, endpoint, clock, holder, connection, state: Mutex::default() }) }
    }

    async fn obtain(&self, rejected: Option<AccessToken>) -> Result<Session, OAuthError> {
        let kept = Arc::clone(&self.kept);
        tokio::spawn(async move { kept.obtain(rejected.as_ref()).await }).await.unwrap_or(Err(OAuthError::Interrupted))
    }
}

impl TokenSource for Keeper {
    fn session(&self) -> BoxFuture<'_, Result<Session, OAuthError>> {
        self.obtain(None).boxed()
    }

    fn renew<'a>(&'a self, rejected: &'a AccessToken) -> BoxFuture<'a, Result<Session, OAuthError>> {
        self.obtain(Some(rejected.clone())).boxed()
    }
}

impl Kept {
    async fn obtain(&self, rejected: Option<&AccessToken>) -> Result<Session, OAuthError> {
        let mut current = self.state.lock().await;
        if let Some(session) = current.session.as_ref().filter(|session| is_other(session, rejected)) {
            return Ok(session.clone());
        }
        let session = self.obtain_alone(&mut current, rejected).await?;
        current.session = Some(session.clone());
        Ok(session)
    }

    /// Goes on until there is a session, a refusal, or somebody else's.
    async fn obtain_alone(&self, current: &mut Current, rejected: Option<&AccessToken>) -> Result<Session, OAuthError> {
        for _ in 0..LOOKS {
            let connection = self.store.connection(&self.connection).await.map_err(stored)?;
            if current.unstored.is_none()
                && let Some(session) = self.stored_session(&connection).await?.filter(|s| is_other(s, rejected))
            {
                return Ok(session);
            }
            let name = lease_name(&connection.name);
            match self.store.acquire_lease(&name, &self.holder, LEASE_TERM).await {
                Ok(lease) => {
                    let outcome = self.renew_under(&lease, current, rejected).await;
                    // A lease that cannot be given back lapses.
                    let _ = self.store.release_lease(&lease).await;
                    return outcome;
                }
                Err(StoreError::Leased { .. }) => self.endpoint.timer().sleep(LOOK_AGAIN).await,
                Err(error) => return Err(stored(error)),
            }
        }
        Err(OAuthError::Store { reason: "another process has been signing in for minutes".into() })
    }

    async fn renew_under(
        &self,
        lease: &Lease,
        current: &mut Current,
        rejected: Option<&AccessToken>,
    ) -> Result<Session, OAuthError> {
        let connection = self.store.connection(&self.connection).await.map_err(stored)?;
        if let Some(tokens) = current.unstored.take() {
            return self.publish(&connection, current, tokens, lease).await;
        }
        if let Some(session) = self.stored_session(&connection).await?.filter(|s| is_other(s, rejected)) {
            return Ok(session);
        }
        refuse_retired(&connection)?;
        let (app, grant) = self.grant(&connection).await?;
        let outcome = self.exchange(&connection, &app, &grant, lease).await;
        match outcome {
            Ok(tokens) => self.publish(&connection, current, Box::new(tokens), lease).await,
            Err(error) => {
                self.record(self.event_of(&error)).await;
                Err(error)
            }
        }
    }

    /// One exchange; around that of a refresh token, the intent.
    async fn exchange(
        &self,
        connection: &Connection,
        app: &ClientApp,
        grant: &Grant,
        lease: &Lease,
    ) -> Result<TokenSet, OAuthError> {
        let Grant::Refresh { refresh_token } = grant else {
            return self.exchange_in_time(&connection.org, app, grant).await;
        };
        let hash = token_hash(refresh_token);
        self.wait_out_the_sender(connection, &hash).await?;
        self.store.begin_redemption(&connection.id, &hash, lease).await.map_err(stored)?;
        let outcome = self.exchange_in_time(&connection.org, app, grant).await;
        if matches!(&outcome, Err(error) if !error.may_have_redeemed()) {
            self.store.withdraw_redemption(&connection.id, lease).await.map_err(stored)?;
        }
        outcome
    }

    /// Until a request that an earlier holder may have under way cannot be answered any more.
    async fn wait_out_the_sender(&self, connection: &Connection, hash: &str) -> Result<(), OAuthError> {
        let open = self.store.open_redemption(&connection.id).await.map_err(stored)?;
        let Some(open) = open.filter(|open| open.token_hash == hash) else { return Ok(()) };
        tracing::warn!(
            connection.id = connection.id,
            attempts = open.attempts,
            "the answer to an earlier renewal is not known; the refresh token is sent again"
        );
        let until = later(open.started_at, EXCHANGE_DEADLINE);
        while self.clock.now() < until {
            self.endpoint.timer().sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    async fn exchange_in_time(&self, login: &OrgUrl, app: &ClientApp, grant: &Grant) -> Result<TokenSet, OAuthError> {
        let exchange = self.endpoint.exchange(login, app, grant);
        match select(exchange, self.endpoint.timer().sleep(EXCHANGE_DEADLINE)).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => Err(OAuthError::Wire {
                cause: salesforce::error::WireError::NoAnswer {
                    host: login.host().to_owned(),
                    waited: EXCHANGE_DEADLINE,
                },
                attempts: 1,
            }),
        }
    }

    /// Commits an answer, then hands it out; never the other way round.
    async fn publish(
        &self,
        connection: &Connection,
        current: &mut Current,
        tokens: Box<TokenSet>,
        lease: &Lease,
    ) -> Result<Session, OAuthError> {
        if let Some(found) = tokens.org_id.as_ref().filter(|found| !is_same_org(found, &connection.org_id)) {
            let error = OAuthError::OtherOrg { expected: connection.org_id.clone(), found: found.clone() };
            self.record(self.event_of(&error)).await;
            return Err(error);
        }
        let mut credentials = vec![(CredentialKind::Session, document(&tokens.session()))];
        if let Some(rotated) = &tokens.refresh_token {
            credentials.push((CredentialKind::RefreshToken, rotated.expose().into()));
        }
        let saved = self.store.save_token_answer(connection, &tokens.instance_url, &credentials, lease).await;
        if let Err(error) = saved {
            current.unstored = Some(tokens);
            return Err(OAuthError::NotStored { reason: error.to_string() });
        }
        self.record(ConnectionEvent::Renewed).await;
        Ok(tokens.session())
    }

    async fn stored_session(&self, connection: &Connection) -> Result<Option<Session>, OAuthError> {
        let credential = self.store.credential(&connection.id, CredentialKind::Session).await.map_err(stored)?;
        let Some(credential) = credential else { return Ok(None) };
        let session: StoredSession = serde_json::from_str(credential.expose_secret())
            .map_err(|_| OAuthError::Store { reason: "the stored session cannot be read".into() })?;
        Ok(Some(Session { access_token: session.access_token.into(), instance_url: session.instance }))
    }

    async fn grant(&self, connection: &Connection) -> Result<(ClientApp, Grant), OAuthError> {
        let credential = async |kind| {
            let credential = self.store.credential(&connection.id, kind).await.map_err(stored)?;
            Ok::<_, OAuthError>(credential.map(|secret| secret.expose_secret().to_owned()))
        };
        let missing = |what: &str| OAuthError::Store { reason: format!("the {what} is missing") };
        let app = ClientApp {
            client_id: connection.client_id.clone(),
            client_secret: credential(CredentialKind::ClientSecret).await?.map(Into::into),
        };
        let grant = match connection.flow {
            Flow::ClientCredentials => Grant::ClientCredentials,
            Flow::JwtBearer | Flow::SoapLogin => {
                return Err(OAuthError::Store { reason: "this way of renewing is not known yet".into() });
            }
            Flow::Password => Grant::Password {
                username: connection.username.clone(),
                password: credential(CredentialKind::Password).await?.ok_or_else(|| missing("password"))?.into(),
                security_token: credential(CredentialKind::SecurityToken).await?.map(Into::into),
            },
            Flow::WebServer | Flow::Device | Flow::RefreshToken => {
                let token = credential(CredentialKind::RefreshToken).await?;
                Grant::Refresh { refresh_token: token.ok_or_else(|| missing("refresh token"))?.into() }
            }
        };
        Ok((app, grant))
    }

    fn event_of(&self, error: &OAuthError) -> ConnectionEvent {
        match error.recovery() {
            Recovery::Reauthorize | Recovery::Configure => ConnectionEvent::Refused { reason: error.to_string() },
            Recovery::Retry { after } => {
                ConnectionEvent::RenewalFailed { retry_at: later(self.clock.now(), after.unwrap_or(RETRY_LATER)) }
            }
            Recovery::Reject | Recovery::Bug => {
                ConnectionEvent::RenewalFailed { retry_at: later(self.clock.now(), RETRY_LATER) }
            }
        }
    }

    /// Moves the connection's state. What cannot be recorded is logged: the session matters more.
    async fn record(&self, event: ConnectionEvent) {
        let moved = async {
            loop {
                let connection = self.store.connection(&self.connection).await?;
                let Ok(next) = connection.state.clone().on(event.clone(), self.clock.now()) else { return Ok(()) };
                if next == connection.state || self.store.save_connection_state(&connection, &next).await? {
                    return Ok::<(), StoreError>(());
                }
            }
        };
        if let Err(error) = moved.await {
            tracing::warn!(connection.name = self.connection, %error, "the connection's state is not recorded");
        }
    }
}

/// The lease that whoever signs a connection in holds.
pub(crate) fn lease_name(connection: &str) -> String {
    format!("the sign-in of {connection}")
}

/// A wrong password is not tried again, since it locks the user out; a dead refresh token stays dead. A client app may
/// be cured in Setup meanwhile, so it is asked again.
fn refuse_retired(connection: &Connection) -> Result<(), OAuthError> {
    match &connection.state {
        ConnectionState::Disconnected { .. } => Err(OAuthError::Retired { reason: "the connection was ended".into() }),
        ConnectionState::NeedsReauthorization { reason, .. } if connection.flow != Flow::ClientCredentials => {
            Err(OAuthError::Retired { reason: reason.clone() })
        }
        _ => Ok(()),
    }
}

/// A session as a document to be sealed.
pub(crate) fn document(session: &Session) -> SecretString {
    let stored = StoredSession {
        access_token: session.access_token.expose().to_owned(),
        instance: session.instance_url.clone(),
    };
    let document = Zeroizing::new(serde_json::to_string(&stored).expect("a session is plain data"));
    SecretString::from(document.as_str())
}

fn is_other(session: &Session, rejected: Option<&AccessToken>) -> bool {
    rejected.is_none_or(|rejected| rejected.expose() != session.access_token.expose())
}

fn token_hash(token: &RefreshToken) -> String {
    let hash = digest::digest(&digest::SHA256, token.expose().as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    Timestamp(now.0.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)))
}

/// The same org in either spelling: 15 characters, or 18 with a checksum.
fn is_same_org(one: &str, other: &str) -> bool {
    match (one.get(..15), other.get(..15)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn stored(error: StoreError) -> OAuthError {
    OAuthError::Store { reason: error.to_string() }
}
