//! An emulated org, and the program run against it.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use emulator::{Effect, Emulator, Fault, FaultRate, Options, Pattern, Scenario};
use orgtide::{
    app::App,
    clock::{SharedClock, SystemClock},
    config::{Config, Sources},
};
use salesforce::http::{MappedHost, RuntimeTimer, Timer};
use serde_json::Value;
use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
};

pub(crate) const ORG: &str = "acme.my.salesforce.com";
pub(crate) const CLIENT_ID: &str = "3MVG9.acme.integration";
pub(crate) const CLIENT_SECRET: &str = "acme-integration-secret";
pub(crate) const TOKEN: &str = "POST /services/oauth2/token";

/// Longer than anything takes that a test waits for, on a busy machine as well.
const PATIENCE: Duration = Duration::from_secs(120);

/// The org of the scenario `acme`, and a data directory for the program.
pub(crate) struct Acme {
    pub(crate) emulator: Emulator,
    pub(crate) directory: tempfile::TempDir,
}

/// How a command ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Acme {
    pub(crate) async fn start() -> Self {
        Self::of(Scenario::builtin("acme").unwrap()).await
    }

    pub(crate) async fn of(scenario: Scenario) -> Self {
        let emulator = Emulator::start(scenario, Options::default()).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), emulator.ca_pem()).unwrap();
        Self { emulator, directory }
    }

    /// Another org that answers under the same names, with the same installation connected to it.
    pub(crate) async fn replaced_by(self, scenario: Scenario) -> Self {
        let emulator = Emulator::start(scenario, Options::default()).await.unwrap();
        std::fs::write(self.directory.path().join("ca.pem"), emulator.ca_pem()).unwrap();
        Self { emulator, directory: self.directory }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn mapped_hosts(&self) -> Vec<MappedHost> {
        let address = self.emulator.tls_address().unwrap();
        self.emulator.hosts().into_iter().map(|host| MappedHost { host, address }).collect()
    }

    pub(crate) fn fault(&self, on: &str, effect: Effect) {
        self.emulator.control().push_fault(Fault::next(on, effect));
    }

    /// How often a route was asked.
    pub(crate) fn asked(&self, route: &str) -> usize {
        let journal = self.emulator.control().journal();
        journal.iter().filter(|entry| format!("{} {}", entry.method, entry.route) == route).count()
    }

    /// Waits until every fault has struck a request. Fails when what was to make the requests comes to its end before.
    pub(crate) async fn faults_struck(&self, end: impl Future<Output: Debug>) {
        let left = || self.emulator.control().unused_faults();
        let what = format!("a request that fits {:?}", left());
        tokio::select! {
            biased;
            () = until(&what, || left().is_empty()) => {}
            end = end => assert!(left().is_empty(), "no request fitted {:?} before the end: {end:?}", left()),
        }
    }

    /// Waits until a request for `route` has arrived.
    pub(crate) async fn arrival(&self, route: &str) {
        until(route, || self.asked(route) > 0).await;
    }

    /// What the program is told of the org and of its own folders.
    pub(crate) fn environment(&self) -> BTreeMap<&'static str, String> {
        let address = self.emulator.tls_address().unwrap();
        let mapped = self.emulator.hosts().iter().map(|host| format!("{host}={address}")).collect::<Vec<_>>();
        BTreeMap::from([
            ("ORGTIDE_MAPPED_HOSTS", mapped.join(",")),
            ("ORGTIDE_MAPPED_HOSTS_CA", self.directory.path().join("ca.pem").display().to_string()),
            ("ORGTIDE_DATA_DIR", self.data().display().to_string()),
            ("ORGTIDE_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
            ("HOME", self.directory.path().display().to_string()),
        ])
    }

    /// The program in this process, with a clock of its own.
    pub(crate) async fn app_with_clock(&self, clock: SharedClock) -> App {
        let environment = self.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let config = Config::load(&Sources { file: None, environment, flags: Vec::new() }).unwrap();
        App::open(config, clock, "test").await.unwrap()
    }

    fn command(&self, line: &str, changed: &[(&str, &str)]) -> Command {
        let mut command = program(line);
        command.envs(self.environment());
        for (name, value) in changed {
            command.env(name, value);
        }
        command
    }

    /// Runs a command line to its end. Words are separated by spaces.
    pub(crate) async fn run(&self, line: &str) -> Ended {
        self.run_with(line, &[]).await
    }

    pub(crate) async fn run_with(&self, line: &str, changed: &[(&str, &str)]) -> Ended {
        end(self.command(line, changed)).await
    }

    pub(crate) fn spawn(&self, line: &str) -> Child {
        self.spawn_with(line, &[])
    }

    pub(crate) fn spawn_with(&self, line: &str, changed: &[(&str, &str)]) -> Child {
        self.command(line, changed).kill_on_drop(true).spawn().unwrap()
    }

    /// The settings that the program has.
    pub(crate) fn config(&self, changed: &[(&str, &str)]) -> Config {
        let own = self.environment().into_iter();
        let changed = changed.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let environment = own.chain(changed).map(|(name, value)| (name.to_owned(), value)).collect();
        Config::load(&Sources { environment, ..Sources::default() }).unwrap()
    }

    /// The program's parts in this process, with the same settings as the program has.
    pub(crate) async fn app(&self, changed: &[(&str, &str)]) -> App {
        self.app_waiting_on(changed, std::sync::Arc::new(RuntimeTimer)).await
    }

    /// The same, with time to wait that a test decides on.
    pub(crate) async fn app_waiting_on(&self, changed: &[(&str, &str)], timer: std::sync::Arc<dyn Timer>) -> App {
        let mut config = self.config(changed);
        config.http.timer = timer;
        App::open(config, std::sync::Arc::new(SystemClock), "test").await.unwrap()
    }

    /// A fault that strikes every request for a route.
    pub(crate) fn fault_always(&self, on: &str, effect: Effect) {
        self.emulator.control().set_fault_rate(FaultRate { on: Pattern::from(on), probability: 1.0, effect });
    }

    /// Connects the org under the name `acme`.
    pub(crate) async fn connect(&self) {
        let ended = self.run(&format!("connect acme --org {ORG} --client-id {CLIENT_ID}")).await;
        assert_eq!(ended.code, 0, "{ended:?}");
    }

    /// Every file below the test's directory, to look for what must not be there.
    pub(crate) fn every_file(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.directory.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(entry.path()),
                    false => found.push((entry.path(), std::fs::read(entry.path()).unwrap())),
                }
            }
        }
        found
    }
}

/// The program in an empty environment.
pub(crate) fn program(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orgtide"));
    command.args(line.split_whitespace()).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) async fn end(mut command: Command) -> Ended {
    ended(command.spawn().unwrap()).await
}

/// How a program has ended that is expected not to.
pub(crate) async fn end_of(program: &mut Child) -> String {
    let status = program.wait().await.unwrap();
    let mut said = String::new();
    program.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
    format!("{status}: {said}")
}

/// What comes of something that a test waits for. Fails when nothing does.
pub(crate) async fn in_time<T>(what: &str, coming: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, coming).await {
        Ok(come) => come,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let coming = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    in_time(what, coming).await;
}

pub(crate) async fn ended(child: Child) -> Ended {
    let output = child.wait_with_output().await.unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[tokio::test]
async fn a_fault_that_strikes_nothing_fails_its_test_with_what_the_program_said() {
    let org = Acme::start().await;
    org.fault("GET /no/such/route", Effect::Hang);
    let waiting = tokio::spawn(async move {
        let mut program = org.spawn("status --nonsense");
        org.faults_struck(end_of(&mut program)).await;
    });
    let panic = waiting.await.unwrap_err().into_panic();
    let said = panic.downcast_ref::<String>().unwrap();
    assert!(said.contains("/no/such/route") && said.contains("--nonsense"), "{said}");
}

/// Rows of a table that an import wrote.
pub(crate) fn rows(database: &Path, sql: &str) -> i64 {
    rusqlite::Connection::open(database).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}
