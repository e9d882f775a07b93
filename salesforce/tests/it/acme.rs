//! An emulated org, and clients that find it under its own names.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use emulator::{Effect, Emulator, Fault, FaultRate, Options, Pattern, Scenario};
use futures_util::future::BoxFuture;
use salesforce::{
    ApiVersion, Client, HostRules, Http, HttpConfig, OrgUrl,
    http::{MappedHost, Timer},
    oauth::{ClientApp, Grant, ReissuedSession, Session, TokenSource},
};

pub(crate) const VERSION: ApiVersion = ApiVersion(68);
/// Longer than anything takes that a test waits for, on a busy machine as well.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) const TOKEN: &str = "POST /services/oauth2/token";
pub(crate) const DESCRIBE: &str = "GET /services/data/vXX.X/sobjects/{object}/describe";

/// Lets no time pass, and remembers how long it should have.
#[derive(Default)]
pub(crate) struct RecordedTimer {
    waits: Mutex<Vec<Duration>>,
}

impl RecordedTimer {
    pub(crate) fn waits(&self) -> Vec<Duration> {
        self.waits.lock().unwrap().clone()
    }
}

impl Timer for RecordedTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        self.waits.lock().unwrap().push(duration);
        Box::pin(tokio::task::yield_now())
    }
}

/// The org of the scenario `acme`.
pub(crate) struct Acme {
    pub(crate) emulator: Emulator,
    pub(crate) timer: Arc<RecordedTimer>,
}

impl Acme {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Scenario)) -> Self {
        let mut scenario = Scenario::builtin("acme").unwrap();
        change(&mut scenario);
        Self::of(scenario).await
    }

    pub(crate) async fn of(scenario: Scenario) -> Self {
        let emulator = Emulator::start(scenario, Options::default()).await.unwrap();
        Self { emulator, timer: Arc::default() }
    }

    /// The My Domain of the first org.
    pub(crate) fn own_host(&self) -> String {
        self.emulator.hosts().into_iter().find(|host| host.ends_with(".my.salesforce.com")).unwrap()
    }

    /// Settings that lead the org's names to the emulator.
    pub(crate) fn settings(&self) -> HttpConfig {
        let address = self.emulator.tls_address().unwrap();
        let hosts = self.emulator.hosts().into_iter();
        HttpConfig {
            extra_ca_pem: vec![self.emulator.ca_pem().to_owned()],
            mapped_hosts: hosts.map(|host| MappedHost { host, address }).collect(),
            timer: self.timer.clone(),
            ..HttpConfig::default()
        }
    }

    pub(crate) fn http(&self) -> Http {
        Http::new(self.settings()).unwrap()
    }

    /// A client that signs in by client credentials.
    pub(crate) fn client(&self) -> Client {
        self.client_with(self.settings(), VERSION)
    }

    pub(crate) fn client_with(&self, settings: HttpConfig, version: ApiVersion) -> Client {
        let http = Http::new(settings).unwrap();
        let tokens = ReissuedSession::new(http.clone(), my_domain(), integration(), Grant::ClientCredentials);
        Client::new(http, Arc::new(tokens), version)
    }

    pub(crate) fn client_of(&self, tokens: Arc<dyn TokenSource>) -> Client {
        Client::new(self.http(), tokens, VERSION)
    }

    /// A client that has this session and no other.
    pub(crate) fn client_of_session(&self, session: Session) -> Client {
        let tokens = ReissuedSession::new(self.http(), my_domain(), integration(), Grant::ClientCredentials);
        self.client_of(Arc::new(tokens.starting_with(session)))
    }

    pub(crate) fn fault(&self, on: &str, effect: Effect) {
        self.emulator.control().push_fault(Fault::next(on, effect));
    }

    /// Every request that fits `on` goes wrong.
    pub(crate) fn fault_always(&self, on: &str, effect: Effect) {
        self.emulator.control().set_fault_rate(FaultRate { on: Pattern::from(on), probability: 1.0, effect });
    }

    /// `METHOD route` of each request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        let journal = self.emulator.control().journal();
        journal.iter().map(|entry| format!("{} {}", entry.method, entry.route)).collect()
    }

    pub(crate) fn count(&self, request: &str) -> usize {
        self.requests().iter().filter(|seen| *seen == request).count()
    }

    /// Waits until the org has seen `count` requests of this kind.
    pub(crate) async fn until_seen(&self, request: &str, count: usize) {
        let seen = async {
            while self.count(request) < count {
                tokio::task::yield_now().await;
            }
        };
        let seen = tokio::time::timeout(PATIENCE, seen).await;
        assert!(seen.is_ok(), "{request} was not seen {count} times: {:?}", self.requests());
    }
}

pub(crate) fn host(name: &str) -> OrgUrl {
    OrgUrl::parse(name, HostRules::default()).unwrap()
}

pub(crate) fn my_domain() -> OrgUrl {
    host("acme.my.salesforce.com")
}

pub(crate) fn app(key: &str, secret: &str) -> ClientApp {
    ClientApp { client_id: key.to_owned(), client_secret: Some(secret.to_owned().into()) }
}

/// The external client app that runs as the integration user.
pub(crate) fn integration() -> ClientApp {
    app("3MVG9.acme.integration", "acme-integration-secret")
}

/// The connected app, which alone offers the password flow.
pub(crate) fn connected() -> ClientApp {
    app("3MVG9.acme.connected", "acme-connected-secret")
}

/// The app whose refresh tokens rotate.
pub(crate) fn rotating() -> ClientApp {
    app("3MVG9.acme.rotating", "acme-rotating-secret")
}

pub(crate) fn password(password: &str) -> Grant {
    Grant::Password {
        username: "admin@acme.example".to_owned(),
        password: password.to_owned().into(),
        security_token: Some("TokenOfAdmin0000000000000".to_owned().into()),
    }
}

pub(crate) fn refresh(token: &str) -> Grant {
    Grant::Refresh { refresh_token: token.to_owned().into() }
}
