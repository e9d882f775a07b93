//! Workers that huge orgs hold are given up, in turn, to customers who wait; and what was begun goes on.

use std::{sync::Arc, time::Duration};

use emulator::{Effect, Fault, Scenario};
use orgtide::{
    app::{App, connect::AppChoice},
    schedule::{Ended, Workers, turn::Next},
};
use sync::run::Outcome;

use super::{connect_and_import, let_go, work_off, workers};
use crate::{
    database::HandClock,
    org::{Acme, CLIENT_ID, CLIENT_SECRET, ORG, rows},
};

const MINUTE: Duration = Duration::from_secs(60);
const RESULTS: &str = "GET /services/data/*/jobs/query/*/results*";
const JOBS: &str = "POST /services/data/vXX.X/jobs/query";
const CONTACTS: i64 = 400;

/// An org whose contacts take four pages of a Bulk job, the second of which does not come before it is let go.
async fn huge(domain: &str, id: &str) -> Acme {
    let mut scenario = Scenario::builtin("acme").unwrap();
    (scenario.org.my_domain, scenario.org.id) = (domain.to_owned(), id.to_owned());
    scenario.bulk.page_rows = 100;
    let org = Acme::of(scenario).await;
    org.emulator.control().push_fault(Fault { nth: 2, ..Fault::next(RESULTS, Effect::Hang) });
    org
}

/// A process of two workers that reaches the small org and two huge ones.
struct Scene {
    small: Acme,
    huge: [Acme; 2],
    clock: Arc<HandClock>,
    app: Arc<App>,
    workers: Workers,
}

impl Scene {
    async fn start() -> Self {
        let small = Acme::start().await;
        let huge = [huge("huge1", "00DgL00000HUGE1").await, huge("huge2", "00DgL00000HUGE2").await];
        let mut config = small.config(&[("ORGTIDE_BULK_THRESHOLD", "300"), ("ORGTIDE_WORKERS", "2")]);
        for org in &huge {
            config.http.mapped_hosts.extend(org.mapped_hosts());
            config.http.extra_ca_pem.push(org.emulator.ca_pem().to_owned());
        }
        let clock = Arc::new(HandClock::new());
        let app = Arc::new(App::open(config, clock.clone(), "test").await.unwrap());
        let workers = workers(&app);
        Self { small, huge, clock, app, workers }
    }

    /// Connects an org; what it imports first is due at once.
    async fn connect(&self, name: &str, host: &str, objects: &[&str]) {
        let client_secret = Some(CLIENT_SECRET.to_owned().into());
        let choice = AppChoice::Own { client_id: CLIENT_ID.into(), client_secret };
        let warnings = connect_and_import(&self.app, (name, host), choice, objects, "every 15 minutes").await;
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    /// Both huge orgs have a worker each, for eleven minutes and for ten.
    async fn with_both_workers_taken() -> Self {
        let mut scene = Self::start().await;
        for (name, number) in [("huge1", 0), ("huge2", 1)] {
            scene.connect(name, &format!("{name}.my.salesforce.com"), &["Contact"]).await;
            scene.workers.look().await.unwrap();
            scene.huge[number].faults_struck(scene.workers.ended()).await;
            scene.clock.advance_by(MINUTE);
        }
        scene.clock.advance_by(9 * MINUTE);
        assert_eq!(scene.workers.under_way(), 2);
        scene
    }

    async fn ended(&mut self) -> Ended {
        self.workers.ended().await.unwrap()
    }
}

fn outcome(ended: &Ended) -> (&str, Outcome, Next) {
    (&ended.connection, ended.result.as_ref().unwrap().outcome, ended.next)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_customer_gets_a_worker_of_huge_orgs_and_these_go_on_where_they_were() {
    let mut scene = Scene::with_both_workers_taken().await;
    scene.connect("small", ORG, &["Account"]).await;
    scene.clock.advance_by(MINUTE);
    scene.workers.look().await.unwrap();
    let gave_way = scene.ended().await;
    assert_eq!(outcome(&gave_way), ("huge1", Outcome::GaveWay, Next::StillDue), "{gave_way:?}");
    assert_eq!(scene.workers.under_way(), 1, "one run for one customer who waits");

    scene.workers.look().await.unwrap();
    let served = scene.ended().await;
    assert_eq!(outcome(&served), ("small", Outcome::Complete, Next::OnSchedule), "{served:?}");

    scene.huge.iter().for_each(let_go);
    let ended = work_off(&mut scene.workers).await;
    assert_eq!(ended.len(), 2, "{ended:?}");
    assert!(ended.iter().all(|ended| ended.next == Next::OnSchedule), "{ended:?}");
    for (org, name) in scene.huge.iter().zip(["huge1", "huge2"]) {
        assert_eq!(rows(&scene.small.data().join(format!("{name}.db")), "SELECT COUNT(*) FROM Contact"), CONTACTS);
        assert_eq!(org.asked(JOBS), 1, "the job of {name} is not begun anew");
    }

    let shown = scene.small.run("runs huge1 Contact --json").await.json()["runs"].clone();
    let told: Vec<_> = shown.as_array().unwrap().iter().map(|run| (&run["state"], &run["reason"])).collect();
    assert_eq!(told, [(&"completed".into(), &().into()), (&"stopped".into(), &"gave_way".into())], "{shown}");
    assert_eq!((&shown[0]["resumed"], &shown[0]["read_by"]), (&true.into(), &"bulk".into()), "{shown}");
    let listed = scene.small.run("runs huge1 Contact").await;
    assert!(listed.out.contains("stopped, gave way to other customers"), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_way_while_nobody_else_waits_or_whoever_waits_could_not_run() {
    let mut scene = Scene::with_both_workers_taken().await;
    scene.connect("small", ORG, &["Account"]).await;
    let actor = orgtide::store::journal::Actor::CommandLine;
    scene.app.switch("small", |switches| switches.paused = true, &actor).await.unwrap();
    for _ in 0..20 {
        scene.clock.advance_by(MINUTE);
        scene.workers.look().await.unwrap();
    }
    scene.huge.iter().for_each(let_go);
    let ended = work_off(&mut scene.workers).await;
    assert!(ended.iter().all(|ended| outcome(ended).1 == Outcome::Complete), "{ended:?}");
    assert_eq!(ended.len(), 2, "{ended:?}");
}
