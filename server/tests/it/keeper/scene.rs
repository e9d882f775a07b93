//! A connection in a store, and its keepers as several processes have them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use emulator::Scenario;
use futures_util::{FutureExt, future::BoxFuture};
use orgtide::{
    clock::{Clock, SharedClock},
    config::ClientApps,
    connection::{
        keeper::{Keeper, Means, TokenEndpoint},
        state::ConnectionState,
    },
    store::{
        Store,
        connections::{Confirmed, Connection, NewConnection, SavedConnection},
        credentials::CredentialKind,
        lease::Holder,
    },
};
use salesforce::{
    ApiVersion, Http, HttpConfig, OAuthError, OrgUrl, Timestamp,
    http::{MaySend, Timer},
    oauth::{Flow, Renewed},
};
use secrecy::ExposeSecret;
use tokio::sync::Notify;

use crate::{
    database::{Fixture, HandClock},
    org::Acme,
};

pub(crate) const ROTATING: (&str, &str, &str) =
    ("3MVG9.acme.rotating", "acme-rotating-secret", "5Aep.acme.rotating.sam");
pub(crate) const STEADY: (&str, &str, &str) =
    ("3MVG9.acme.connected", "acme-connected-secret", "5Aep.acme.connected.admin");
pub(crate) const ORG_ID: &str = "00DgL000000ACMEUA4";

/// No wait of a test is longer: what waits so long waits for ever.
const DEADLINES: Duration = Duration::from_secs(20);

/// Short waits move the clock; a deadline is never reached.
pub(crate) struct HandTimer(pub(crate) Arc<HandClock>);

impl Timer for HandTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        if duration >= DEADLINES {
            return std::future::pending().boxed();
        }
        self.0.advance_by(duration);
        tokio::task::yield_now().boxed()
    }
}

/// Time stands still; whoever waits for another process waits for a moment of real time.
pub(crate) struct StillTimer;

impl Timer for StillTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        if duration >= DEADLINES {
            return std::future::pending().boxed();
        }
        tokio::time::sleep(Duration::from_millis(2)).boxed()
    }
}

/// Where a process stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// Its intent is committed, and nothing is sent.
    BeforeSending,
    /// Salesforce has answered, and nothing is stored.
    AfterTheAnswer,
}

/// A process that stands still once, until it is woken.
#[derive(Clone)]
pub(crate) struct Halt {
    at: At,
    reached: Arc<Notify>,
    go_on: Arc<Notify>,
}

impl Halt {
    pub(crate) fn new(at: At) -> Self {
        Self { at, reached: Arc::default(), go_on: Arc::default() }
    }

    pub(crate) async fn is_reached(&self) {
        self.reached.notified().await;
    }

    pub(crate) fn wake(&self) {
        self.go_on.notify_one();
    }

    async fn stand_still(&self) {
        self.reached.notify_one();
        self.go_on.notified().await;
    }
}

/// The token endpoint of a process that may stand still.
struct Endpoint {
    http: Http,
    halt: Mutex<Option<Halt>>,
}

impl Endpoint {
    fn halt_at(&self, at: At) -> Option<Halt> {
        let mut halt = self.halt.lock().unwrap_or_else(PoisonError::into_inner);
        halt.take_if(|halt| halt.at == at)
    }
}

impl TokenEndpoint for Endpoint {
    fn renew<'a>(
        &'a self,
        login: &'a OrgUrl,
        means: &'a Means,
        known: &'a OrgUrl,
        may_send: MaySend,
    ) -> BoxFuture<'a, Result<Renewed, OAuthError>> {
        async move {
            if let Some(halt) = self.halt_at(At::BeforeSending) {
                halt.stand_still().await;
            }
            let outcome = TokenEndpoint::renew(&self.http, login, means, known, may_send).await;
            if let Some(halt) = self.halt_at(At::AfterTheAnswer) {
                halt.stand_still().await;
            }
            outcome
        }
        .boxed()
    }

    fn org_at<'a>(&'a self, host: &'a OrgUrl) -> BoxFuture<'a, Option<String>> {
        TokenEndpoint::org_at(&self.http, host)
    }

    fn timer(&self) -> &dyn Timer {
        self.http.timer()
    }
}

pub(crate) struct Scene {
    pub(crate) org: Acme,
    pub(crate) fixture: Fixture,
}

impl Scene {
    pub(crate) async fn of(fixture: Fixture, new: NewConnection) -> Self {
        let mut scenario = Scenario::builtin("acme").unwrap();
        scenario.org.soap_login = true;
        Self::beside(fixture, scenario, new).await
    }

    /// A connection of an org of this scenario.
    pub(crate) async fn beside(fixture: Fixture, scenario: Scenario, new: NewConnection) -> Self {
        let scene = Self { org: Acme::of(scenario).await, fixture };
        scene.save(&new).await;
        scene
    }

    pub(crate) async fn refreshing(fixture: Fixture, app: (&str, &str, &str)) -> Self {
        Self::of(fixture, refreshing(app)).await
    }

    pub(crate) async fn save(&self, new: &NewConnection) {
        let saved = self.store().await.save_connection(new).await.unwrap();
        assert!(matches!(saved, SavedConnection::Saved(_)), "{saved:?}");
    }

    pub(crate) async fn store(&self) -> Store {
        self.fixture.open().await.unwrap()
    }

    pub(crate) async fn connection(&self) -> Connection {
        self.store().await.connection("acme").await.unwrap()
    }

    pub(crate) async fn state(&self) -> ConnectionState {
        self.connection().await.state
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.fixture.clock.now()
    }

    /// The connection's keeper, as a further process has it.
    pub(crate) async fn keeper(&self) -> Keeper {
        self.process(Arc::new(HandTimer(self.fixture.clock.clone())), ClientApps::default(), None).await
    }

    /// The same in a process that stands still.
    pub(crate) async fn halting(&self, halt: &Halt) -> Keeper {
        let timer = Arc::new(HandTimer(self.fixture.clock.clone()));
        self.process(timer, ClientApps::default(), Some(halt.clone())).await
    }

    pub(crate) async fn process(&self, timer: Arc<dyn Timer>, apps: ClientApps, halt: Option<Halt>) -> Keeper {
        let http = Http::new(HttpConfig {
            extra_ca_pem: vec![self.org.emulator.ca_pem().to_owned()],
            mapped_hosts: self.org.mapped_hosts(),
            timer,
            ..HttpConfig::default()
        })
        .unwrap();
        let endpoint = Arc::new(Endpoint { http, halt: Mutex::new(halt) });
        let holder = Holder { command: "test".into(), host: "elsewhere".into(), process: 1, birth: None };
        let clock: SharedClock = self.fixture.clock.clone();
        Keeper::new(Arc::new(self.store().await), endpoint, apps, clock, holder, "acme".into())
    }

    pub(crate) async fn refresh_token(&self) -> String {
        let (store, connection) = (self.store().await, self.connection().await);
        let token = store.credential(&connection.id, CredentialKind::RefreshToken).await.unwrap().unwrap();
        token.expose_secret().to_owned()
    }

    pub(crate) async fn has_open_intent(&self) -> bool {
        let connection = self.connection().await;
        self.store().await.open_redemption(&connection.id).await.unwrap().is_some()
    }

    /// What the journal says of the connection, in any order.
    pub(crate) async fn journal(&self) -> Vec<String> {
        let entries = self.store().await.journal(Some("acme"), 100).await.unwrap();
        let mut events: Vec<String> = entries.into_iter().map(|entry| entry.event).collect();
        events.sort();
        events
    }
}

/// A connection of Acme's org, of this flow and with these credentials.
pub(crate) fn connection(flow: Flow, app: (&str, &str), credentials: &[(CredentialKind, &str)]) -> NewConnection {
    let host = || serde_json::from_value("acme.my.salesforce.com".into()).unwrap();
    let secret = (CredentialKind::ClientSecret, app.1);
    NewConnection {
        customer: "acme".into(),
        name: "acme".into(),
        org: host(),
        instance: host(),
        org_id: ORG_ID.into(),
        user_id: "005".into(),
        username: "sam@acme.example".into(),
        api_version: ApiVersion(68),
        flow,
        app: None,
        client_id: app.0.into(),
        scopes: vec!["api".into(), "refresh_token".into()],
        audience: None,
        owner: None,
        state: ConnectionState::Connected { since: Timestamp(1) },
        credentials: credentials.iter().chain([&secret]).map(|(kind, text)| (*kind, (*text).into())).collect(),
        confirmed: Confirmed::default(),
        organization: None,
        handed_over: None,
    }
}

pub(crate) fn refreshing(app: (&str, &str, &str)) -> NewConnection {
    connection(Flow::WebServer, (app.0, app.1), &[(CredentialKind::RefreshToken, app.2)])
}
