//! Further processes of a proof: this test binary, started again with a task in its environment.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use orgtide::{
    app::App,
    clock::{Clock, SharedClock, SystemClock},
    config::{Config, Sources},
    connection::keeper::{Keeper, Means, TokenEndpoint},
    store::{Store, StoreAddress, lease::Holder},
    vault::Vault,
};
use salesforce::{
    Http, HttpConfig, OAuthError, OrgUrl, Timestamp,
    http::{MappedHost, MaySend, Timer},
    oauth::Renewed,
};
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};

use crate::{database::Fixture, org::Acme};

/// Holds the task of a further process. Its prefix is that of tests, which the program leaves alone.
const TASK: &str = "ORGTIDE_TEST_TASK";

/// What a further process needs to be a keeper.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Task {
    /// `sqlite` or `postgres`.
    pub(super) kind: String,
    pub(super) place: String,
    pub(super) keyring: String,
    /// Where the program keeps its own files.
    pub(super) data: PathBuf,
    pub(super) ca: String,
    pub(super) hosts: Vec<(String, String)>,
    pub(super) pace: Pace,
    pub(super) connections: Vec<String>,
    pub(super) seed: u64,
    pub(super) callers: usize,
    pub(super) halt: Halt,
}

/// Where a process stands still, to be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Halt {
    Nowhere,
    /// At its nth look at the clock: between any two steps of a renewal, it looks.
    AtLook(u64),
    /// The intent is committed, and nothing is sent.
    BeforeSending,
    /// The answer is there, and nothing is stored.
    AfterTheAnswer,
}

impl Task {
    pub(super) fn new(fixture: &Fixture, org: &Acme, pace: Pace, connections: Vec<String>) -> Self {
        Self {
            kind: fixture.kind().to_owned(),
            place: fixture.place(),
            keyring: fixture.keyring.clone(),
            data: match fixture.kind() {
                "sqlite" => Path::new(&fixture.place()).parent().unwrap().to_owned(),
                _ => org.data(),
            },
            ca: org.emulator.ca_pem().to_owned(),
            hosts: org.mapped_hosts().into_iter().map(|host| (host.host, host.address.to_string())).collect(),
            pace,
            connections,
            seed: 1,
            callers: 1,
            halt: Halt::Nowhere,
        }
    }

    /// The task that this process was started for; `None` in an ordinary run of the tests.
    pub(super) fn given() -> Option<Self> {
        let text = std::env::var(TASK).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    }

    /// Starts a process that does this task: the test of that path in this binary.
    pub(super) fn start(&self, test: &str) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads", "1"])
            .env(TASK, serde_json::to_string(self).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    pub(super) async fn store(&self, clock: SharedClock) -> Arc<Store> {
        let vault = Arc::new(Vault::from_keyring(&self.keyring).unwrap());
        let (path, url) = (PathBuf::from(&self.place), self.place.as_str().into());
        let address = if self.kind == "sqlite" { StoreAddress::File(&path) } else { StoreAddress::Url(&url) };
        Arc::new(Store::open(address, clock, vault).await.unwrap())
    }

    pub(super) fn http(&self) -> Http {
        Http::new(self.http_config()).unwrap()
    }

    fn http_config(&self) -> HttpConfig {
        let hosts = self.hosts.iter();
        let mapped_hosts =
            hosts.map(|(host, address)| MappedHost { host: host.clone(), address: address.parse().unwrap() }).collect();
        HttpConfig {
            extra_ca_pem: vec![self.ca.clone()],
            mapped_hosts,
            timer: Arc::new(self.pace),
            ..HttpConfig::default()
        }
    }

    /// The program in this process.
    pub(super) async fn app(&self) -> App {
        let mut environment = BTreeMap::from([
            ("ORGTIDE_DATA_DIR".to_owned(), self.data.display().to_string()),
            ("ORGTIDE_KEY".to_owned(), self.keyring.clone()),
        ]);
        if self.kind != "sqlite" {
            environment.insert("ORGTIDE_DATABASE_URL".to_owned(), self.place.clone());
        }
        let mut config = Config::load(&Sources { environment, ..Sources::default() }).unwrap();
        config.http = self.http_config();
        App::open(config, Arc::new(self.pace), "orgtide serve").await.unwrap()
    }

    /// The keeper of a connection in this process.
    pub(super) fn keeper(&self, store: &Arc<Store>, http: &Http, clock: SharedClock, connection: &str) -> Keeper {
        let endpoint = Arc::new(Endpoint { http: http.clone(), halt: self.halt });
        let holder = Holder::this_process("proof");
        Keeper::new(Arc::clone(store), endpoint, Default::default(), clock, holder, connection.to_owned())
    }
}

/// Time that runs faster than real time by a factor, in all processes of a proof alike.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Pace {
    since: i64,
    factor: u32,
}

impl Pace {
    pub(super) fn faster_by(factor: u32) -> Self {
        Self { since: SystemClock.now().0, factor }
    }
}

impl Clock for Pace {
    fn now(&self) -> Timestamp {
        Timestamp(self.since + (SystemClock.now().0 - self.since) * i64::from(self.factor))
    }
}

impl Timer for Pace {
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        tokio::time::sleep(duration / self.factor).boxed()
    }
}

/// A clock at which a process stands still when it looks for the nth time.
pub(super) struct HaltingClock {
    pace: Pace,
    halt: Halt,
    counts: AtomicBool,
    looks: AtomicU64,
}

impl HaltingClock {
    pub(super) fn new(task: &Task) -> Self {
        Self { pace: task.pace, halt: task.halt, counts: AtomicBool::new(false), looks: AtomicU64::new(0) }
    }

    pub(super) fn looks(&self) -> u64 {
        self.looks.load(Ordering::SeqCst)
    }

    /// Counts from here on.
    pub(super) fn start(&self) {
        self.counts.store(true, Ordering::SeqCst);
    }
}

impl Clock for HaltingClock {
    fn now(&self) -> Timestamp {
        if self.counts.load(Ordering::SeqCst) {
            let look = self.looks.fetch_add(1, Ordering::SeqCst) + 1;
            if self.halt == Halt::AtLook(look) {
                stand_still();
            }
        }
        self.pace.now()
    }
}

/// Tells that the place is reached, and waits to be killed.
fn stand_still() -> ! {
    println!("halted");
    loop {
        std::thread::park();
    }
}

/// The token endpoint of a process that may stand still around it.
struct Endpoint {
    http: Http,
    halt: Halt,
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
            if self.halt == Halt::BeforeSending {
                stand_still();
            }
            let outcome = TokenEndpoint::renew(&self.http, login, means, known, may_send).await;
            if self.halt == Halt::AfterTheAnswer {
                stand_still();
            }
            outcome
        }
        .boxed()
    }

    fn timer(&self) -> &dyn Timer {
        self.http.timer()
    }
}
