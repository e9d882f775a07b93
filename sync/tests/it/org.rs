//! An emulated org, a client that is signed in to it, and runs of one stream.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use emulator::{
    Emulator, Options, Scenario,
    database::{Author, Database},
    ids::RecordId,
    value::Timestamp as TimeOfStamp,
};
use futures_util::future::BoxFuture;
use salesforce::{
    ApiVersion, Client, HostRules, Http, HttpConfig, OrgUrl,
    http::{MappedHost, RetryPolicy, Timer},
    oauth::{ClientApp, Grant, ReissuedSession},
    query::Deleted,
};
use serde_json::json;
use sync::{
    catalogue::Catalogue,
    checkpoint::{Checkpoint, Epoch},
    mapping::{ColumnMapping, CompiledMapping, Mapping},
    read::{Phase, ReadChoice, ReadOptions},
    run::{Counts, Judged, Progress, ProgressError, Refresh, Report, Run, RunError, RunOptions, Sweep, run},
    table::StreamKey,
    verify::{Certificate, Depth, Verification, VerifyError, verify},
};
use tokio::sync::watch;

use crate::memory::{Crash, Durable, MemoryDestination};

const SCENARIO: &str = r#"
name = "pipeline"
now = "2026-11-21T10:00:00Z"
time = "frozen"

[org]
id = "00D5f000004AbCd"
name = "Acme"
my_domain = "acme"

[profiles.Integration]
api_enabled = true
view_setup = true
modify_all_data = true

[[users]]
username = "sync.bot@acme.example"
last_name = "Bot"
profile = "Integration"

[[apps]]
name = "Sync"
kind = "external_client_app"
consumer_key = "3MVG9sync"
consumer_secret = "not-so-secret"
scopes = ["api"]
client_credentials = { run_as = "sync.bot@acme.example" }
"#;

/// Passes half an hour in a second, so that the emulated org's jobs get somewhere meanwhile.
pub(crate) struct HastyTimer;

impl Timer for HastyTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration / 2000))
    }
}

/// One org and one client of it.
pub(crate) struct Org {
    pub(crate) emulator: Emulator,
    pub(crate) client: Client,
}

/// How one run of a stream differs from the plain one.
#[derive(Default)]
pub(crate) struct Setting {
    pub(crate) read: ReadChoice,
    pub(crate) crash: Option<Crash>,
    pub(crate) full: bool,
    /// getDeleted is asked no more often; an hour when not given.
    pub(crate) deletions_every: Option<Duration>,
    pub(crate) epoch: Option<Epoch>,
    /// Somebody has asked to stop before the run begins.
    pub(crate) stopped: bool,
    /// Others wait from the beginning on.
    pub(crate) is_waited_for: bool,
    pub(crate) refresh: Option<Refresh>,
    pub(crate) sweep: Option<Sweep>,
}

/// How a copy is compared.
#[derive(Clone, Copy, Default)]
pub(crate) struct Comparing {
    pub(crate) read: ReadChoice,
    pub(crate) depth: Depth,
    pub(crate) repair: bool,
    pub(crate) crash: Option<Crash>,
}

impl Org {
    /// Starts an org; `more` is added to the scenario.
    pub(crate) async fn start(more: &str) -> Self {
        Self::start_with_seed(11, more).await
    }

    /// Starts an org whose data and random faults follow from `seed`.
    pub(crate) async fn start_with_seed(seed: u64, more: &str) -> Self {
        let mut scenario = Scenario::from_toml(&format!("{SCENARIO}\n{more}")).unwrap();
        scenario.seed = seed;
        let emulator = Emulator::start(scenario, Options::default()).await.unwrap();
        let client = connect(&emulator);
        Self { emulator, client }
    }

    /// Runs a stream once; an org whose fields have changed meanwhile is described anew, once.
    pub(crate) async fn run(
        &self,
        mapping: &Mapping,
        durable: &Arc<Mutex<Durable>>,
        setting: Setting,
    ) -> Result<Report, RunError> {
        let compiled = self.compile(mapping).await?;
        match self.run_compiled(&compiled, durable, &setting).await {
            Err(RunError::Outdated { .. }) => {
                let compiled = self.compile(mapping).await?;
                self.run_compiled(&compiled, durable, &setting).await
            }
            outcome => outcome,
        }
    }

    pub(crate) async fn compile(&self, mapping: &Mapping) -> Result<Arc<CompiledMapping>, RunError> {
        let catalogue = Catalogue::load(&self.client, mapping).await?;
        Ok(Arc::new(mapping.compile(&catalogue).unwrap()))
    }

    /// Runs a stream once by a mapping that was compiled some time ago.
    pub(crate) async fn run_compiled(
        &self,
        compiled: &Arc<CompiledMapping>,
        durable: &Arc<Mutex<Durable>>,
        setting: &Setting,
    ) -> Result<Report, RunError> {
        let next = Epoch(durable.lock().unwrap().epoch.map_or(1, |epoch| epoch.0 + 1));
        let epoch = setting.epoch.unwrap_or(next);
        let mut destination = MemoryDestination::new(durable, setting.crash);
        let read = ReadOptions { choice: setting.read, bulk_from: 1_000, ..ReadOptions::default() };
        let plain = RunOptions::default();
        let deletions_every = setting.deletions_every.unwrap_or(plain.deletions_every);
        let (_keep, stop) = watch::channel(setting.stopped);
        let (_waits, give_way) = watch::channel(setting.is_waited_for);
        run(Run {
            client: self.client.clone(),
            calls_before: self.client.usage().calls,
            mapping: Arc::clone(compiled),
            stream: stream_of(compiled),
            destination: &mut destination,
            progress: Arc::new(Silent),
            epoch,
            options: RunOptions {
                read,
                full: setting.full,
                deletions_every,
                refresh: setting.refresh,
                sweep: setting.sweep,
                ..plain
            },
            stop,
            give_way: Some(give_way),
        })
        .await
    }

    /// Compares a stream's copy with the org.
    pub(crate) async fn verify(
        &self,
        mapping: &Mapping,
        durable: &Arc<Mutex<Durable>>,
        how: Comparing,
    ) -> Result<Certificate, VerifyError> {
        let mapping = self.compile(mapping).await?;
        let epoch = Epoch(durable.lock().unwrap().epoch.map_or(1, |epoch| epoch.0 + 1));
        let mut destination = MemoryDestination::new(durable, how.crash);
        let (_keep, stop) = watch::channel(false);
        verify(Verification {
            client: self.client.clone(),
            calls_before: self.client.usage().calls,
            stream: stream_of(&mapping),
            mapping,
            destination: &mut destination,
            progress: Arc::new(Silent),
            epoch,
            read: ReadOptions { choice: how.read, bulk_from: 1_000, ..ReadOptions::default() },
            overlap: RunOptions::default().overlap,
            depth: how.depth,
            repair: how.repair,
            stop,
        })
        .await
    }

    /// Runs a stream once, plainly, and expects it to succeed.
    pub(crate) async fn sync(&self, mapping: &Mapping, durable: &Arc<Mutex<Durable>>) -> Report {
        self.run(mapping, durable, Setting::default()).await.unwrap()
    }
}

fn stream_of(mapping: &CompiledMapping) -> StreamKey {
    StreamKey {
        connection: "acme".into(),
        org: "00D000000000001".into(),
        installation: "ins_1".into(),
        object: mapping.object.clone(),
        table: "t".into(),
        stream: None,
    }
}

fn connect(emulator: &Emulator) -> Client {
    let mapped = |host: String| MappedHost { host, address: emulator.tls_address().expect("TLS is on") };
    let config = HttpConfig {
        mapped_hosts: emulator.hosts().into_iter().map(mapped).collect(),
        extra_ca_pem: vec![emulator.ca_pem().to_owned()],
        retry: RetryPolicy { attempts: 4, ..RetryPolicy::default() },
        response_timeout: Duration::from_secs(2),
        read_timeout: Duration::from_secs(5),
        timer: Arc::new(HastyTimer),
        ..HttpConfig::default()
    };
    let http = Http::new(config).unwrap();
    let login = OrgUrl::parse("acme.my.salesforce.com", HostRules::default()).unwrap();
    let app = ClientApp { client_id: "3MVG9sync".into(), client_secret: Some("not-so-secret".to_owned().into()) };
    let session = ReissuedSession::new(http.clone(), login, app, Grant::ClientCredentials);
    Client::new(http, Arc::new(session), ApiVersion(68))
}

impl Org {
    /// Runs a stream once, plainly, and expects it to fail.
    pub(crate) async fn sync_fails(&self, mapping: &Mapping, durable: &Arc<Mutex<Durable>>) -> RunError {
        self.run(mapping, durable, Setting::default()).await.unwrap_err()
    }
}

/// Changes to the org's data, behind the client's back.
impl Org {
    /// Inserts a contact, stamped now or in the past, and returns its id.
    pub(crate) fn insert_contact(&self, last_name: &str, ago: Duration) -> String {
        let record = json!({"LastName": last_name}).as_object().unwrap().clone();
        let insert = |database: &mut Database, author: &Author<'_>| {
            let at = TimeOfStamp(author.at.0 - ago.as_millis() as i64);
            database.insert("Contact", &record, &Author { at, ..*author }).unwrap().to_string()
        };
        self.emulator.control().write(insert)
    }

    /// Gives a contact another name.
    pub(crate) fn rename_contact(&self, id: &str, last_name: &str) {
        let record = json!({"LastName": last_name}).as_object().unwrap().clone();
        let id = RecordId::parse(id).unwrap();
        self.emulator.control().write(|database, author| database.update(id, &record, author).unwrap());
    }

    /// Gives an account another name, which moves no contact's stamp.
    pub(crate) fn rename_account(&self, id: &str, name: &str) {
        let record = json!({"Name": name}).as_object().unwrap().clone();
        let id = RecordId::parse(id).unwrap();
        self.emulator.control().write(|database, author| database.update(id, &record, author).unwrap());
    }

    /// Moves a contact to the recycle bin.
    pub(crate) fn delete_contact(&self, id: &str) {
        let id = RecordId::parse(id).unwrap();
        self.emulator.control().write(|database, author| database.delete(id, author).unwrap());
    }

    /// Adds a text field to Contact.
    pub(crate) fn add_contact_field(&self, name: &str) {
        let spec = serde_json::from_value(json!({"name": name, "type": "string", "length": 80})).unwrap();
        self.emulator.control().write(|database, _| database.declare_field("Contact", &spec).unwrap());
    }

    /// How many living records an object has.
    pub(crate) async fn count(&self, object: &str) -> usize {
        usize::try_from(self.client.count(object, None, Deleted::Excluded).await.unwrap()).unwrap()
    }

    /// There are as many rows as the object has living records.
    pub(crate) async fn assert_has_all(&self, object: &str, durable: &Arc<Mutex<Durable>>) {
        let count = self.count(object).await;
        assert_eq!(durable.lock().unwrap().rows.len(), count, "{object}");
    }
}

/// An empty place for rows.
pub(crate) fn nowhere() -> Arc<Mutex<Durable>> {
    Arc::default()
}

/// Every field of an object.
pub(crate) fn whole(object: &str) -> Mapping {
    Mapping { object: object.into(), ..Mapping::default() }
}

/// One field of an object, besides its key and stamp.
pub(crate) fn only(object: &str, field: &str) -> Mapping {
    let columns = vec![ColumnMapping::field(field)];
    Mapping { columns, ..whole(object) }
}

struct Silent;

impl Progress for Silent {
    fn phase(&self, _phase: Phase) {}

    fn keep<'a>(&'a self, _judged: Judged<'a>) -> BoxFuture<'a, Result<(), ProgressError>> {
        Box::pin(async { Ok(()) })
    }

    fn save<'a>(&'a self, _resume: &'a Checkpoint, _counts: Counts) -> BoxFuture<'a, Result<(), ProgressError>> {
        Box::pin(async { Ok(()) })
    }
}
