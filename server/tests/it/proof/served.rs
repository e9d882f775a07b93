//! What a killed process was doing, another one goes on with within a minute.

use std::{sync::Arc, time::Duration};

use emulator::Effect;
use orgtide::{
    app::{
        App,
        connect::{AppChoice, ConnectRequest, FirstImport, Offered},
    },
    clock::Clock,
    diagnose::Quiet,
    store::{
        Store,
        connections::Confirmed,
        journal::Actor,
        runs::{Run, RunState},
        streams::Stream,
    },
};
use tokio::{process::Child, sync::watch};

use super::process::{Pace, Task};
use crate::{
    database::{Fixture, on_both_databases},
    org::{Acme, CLIENT_ID, CLIENT_SECRET, ORG, in_time, rows},
};

const SERVER: &str = "proof::served::a_process_that_serves";
/// What a run asks for; which of them comes first depends on what is known already.
const ASKED: [&str; 2] = ["GET /services/data/vXX.X/query*", "POST /services/data/vXX.X/composite*"];
const CONTACTS: i64 = 400;
/// A lapsed lease is waited for in seconds, and a slow machine has some left to the minute.
const FASTER: u32 = 6;
const PROCESSES: usize = 3;

fn kills() -> usize {
    match std::env::var("ORGTIDE_PROOF").as_deref() {
        Ok("full") => 25,
        _ => 2,
    }
}

/// Three processes that serve one store with one stream, and who looks on.
struct Scene {
    org: Acme,
    task: Task,
    store: Arc<Store>,
    pace: Pace,
    stream: Stream,
    processes: Vec<Child>,
}

on_both_databases! {
    async fn a_server_that_is_killed_in_a_run_is_replaced_within_a_minute_and_nothing_is_lost(fixture: Fixture) {
        let mut scene = Scene::of(&fixture).await;
        let mut longest = Duration::ZERO;
        for kill in 0..kills() {
            longest = longest.max(scene.kill_in_a_run(&fixture, kill).await);
        }
        println!(
            "proof: killed server on {}: {} kills of one of {PROCESSES} processes in a run, each run gone on with by another \
             after at most {} s, 0 lost",
            fixture.kind(), kills(), longest.as_secs()
        );
    }
}

impl Scene {
    async fn of(fixture: &Fixture) -> Self {
        let (org, pace) = (Acme::start().await, Pace::faster_by(FASTER));
        let task = Task::new(fixture, &org, pace, Vec::new());
        let app = task.app().await;
        connect(&app).await;
        ASKED.iter().for_each(|route| org.fault(route, Effect::Hang));
        let store = task.store(Arc::new(pace)).await;
        let connection = store.connection("acme").await.unwrap();
        let stream = store.streams(&connection.id).await.unwrap().remove(0);
        let processes = (0..PROCESSES).map(|_| task.start(SERVER)).collect();
        Self { org, task, store, pace, stream, processes }
    }

    /// Kills the process that runs the stream, in the middle of a request, and gives how long nobody ran it.
    async fn kill_in_a_run(&mut self, fixture: &Fixture, kill: usize) -> Duration {
        if kill > 0 {
            ASKED.iter().for_each(|route| self.org.fault(route, Effect::Hang));
            let app = self.task.app().await;
            let now = orgtide::app::schedules::Decision::RunNow;
            app.decide("acme", &[], &now, &Actor::CommandLine).await.unwrap();
        }
        let held = async {
            while self.org.emulator.control().unused_faults().len() == ASKED.len() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        in_time("a process that runs the stream", held).await;
        self.org.emulator.control().clear_faults();
        let before = self.runs().await;
        assert_eq!(before[0].state, RunState::Running, "{before:?}");
        let (holder, _) = self.store.lease_holder(&self.stream.lease_name()).await.unwrap().unwrap();
        let victim = self.processes.iter().position(|process| process.id() == Some(holder.process)).unwrap();
        // Nobody can look into the processes of another machine: their leases have to lapse.
        let elsewhere = r#"{"command":"orgtide serve","host":"elsewhere","process":7,"birth":null}"#;
        let mine = format!("%\"process\":{},%", holder.process);
        fixture.tamper(&format!("UPDATE leases SET holder = '{elsewhere}' WHERE holder LIKE '{mine}'")).await;
        self.processes[victim].kill().await.unwrap();
        let killed_at = self.pace.now();
        self.org.emulator.control().release();
        self.processes[victim] = self.task.start(SERVER);

        let replaced = async {
            loop {
                let runs = self.runs().await;
                if runs.len() > before.len() && runs[0].state != RunState::Running {
                    break runs;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let after = in_time("another process that goes on", replaced).await;
        assert_eq!(after.len(), before.len() + 1, "one run replaces it: {after:#?}");
        assert_eq!((after[0].state, after[1].state), (RunState::Completed, RunState::Abandoned), "{after:#?}");
        assert_eq!(rows(&self.task.data.join("acme.db"), "SELECT count(*) FROM Contact"), CONTACTS);
        let waited = after[0].started_at.0 - killed_at.0;
        assert!(waited < 60_000, "nobody ran it for {waited} ms");
        Duration::from_millis(u64::try_from(waited).unwrap())
    }

    async fn runs(&self) -> Vec<Run> {
        self.store.runs(&self.stream.id, 1000).await.unwrap()
    }
}

/// Contacts are imported by whoever serves.
async fn connect(app: &App) {
    let request = ConnectRequest {
        name: Some("acme".into()),
        org: ORG.into(),
        customer: None,
        app: AppChoice::Own { client_id: CLIENT_ID.into(), client_secret: Some(CLIENT_SECRET.to_owned().into()) },
        api_version: None,
        confirmed: Confirmed::default(),
        owner: None,
        actor: Actor::CommandLine,
        first_import: FirstImport { objects: vec!["Contact".into()], ..FirstImport::default() },
    };
    app.connect(request, Offered::ClientCredentials, &Quiet).await.unwrap();
}

/// A further process: runs what is due until it is killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_serves() {
    let Some(task) = Task::given() else { return };
    let (_ends_never, stop) = watch::channel(false);
    Arc::new(task.app().await).keep_running(stop).await;
}
