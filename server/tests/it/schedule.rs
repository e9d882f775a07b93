//! Streams that run by themselves: in whose turn, how many at once, what is caught up, and what comes of failures.

mod giving_way;
mod verifying;

use std::{
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use emulator::{Effect, FaultRate, Pattern, Scenario};
use orgtide::{
    app::{
        App,
        connect::{AppChoice, ConnectRequest, FirstImport, Offered},
        import::{ImportRequest, RunEvent, Watcher},
        schedules::{Decision, PlannedStream},
    },
    clock::{Clock, SharedClock},
    connection::state::ConnectionState,
    diagnose::Quiet,
    schedule::{Ended, Workers, turn::Next},
    store::{
        connections::{Confirmed, Connection},
        journal::Actor,
        lease::Holder,
        schedules::{Needs, Plan, Trouble},
        streams::NewStream,
    },
};
use salesforce::Timestamp;
use serde_json::json;
use sync::{mapping::Mapping, read::ReadChoice};
use tokio::sync::watch;

use crate::{
    database::{Fixture, HandClock, on_both_databases},
    keeper::scene::{STEADY, refreshing},
    org::{Acme, CLIENT_ID, CLIENT_SECRET, ORG, TOKEN, rows, until},
};

const QUARTER: Duration = Duration::from_secs(15 * 60);

struct Unwatched;

impl Watcher for Unwatched {
    fn event(&self, _event: RunEvent<'_>) {}
}

fn unwatched() -> Arc<dyn Watcher> {
    Arc::new(Unwatched)
}

/// Never becomes true.
fn never() -> watch::Receiver<bool> {
    static SENDER: OnceLock<watch::Sender<bool>> = OnceLock::new();
    SENDER.get_or_init(|| watch::Sender::new(false)).subscribe()
}

fn workers(app: &Arc<App>) -> Workers {
    Workers::new(Arc::clone(app), never())
}

pub(crate) async fn connect(app: &App, name: &str, org: &str, client: (&str, &str)) {
    let request = ConnectRequest {
        name: Some(name.into()),
        org: org.into(),
        customer: None,
        app: AppChoice::Own { client_id: client.0.into(), client_secret: Some(client.1.to_owned().into()) },
        api_version: None,
        confirmed: Confirmed::default(),
        owner: None,
        actor: Actor::CommandLine,
        first_import: Default::default(),
    };
    app.connect(request, Offered::ClientCredentials, &Quiet).await.unwrap();
}

/// Some records of the objects, each into a table of that name.
async fn import(app: &App, connection: &str, tables: &[(&str, &str)]) {
    let mapping = |(object, table): &(&str, &str)| Mapping {
        object: (*object).into(),
        table: Some((*table).into()),
        limit: Some(5),
        ..Mapping::default()
    };
    let request = ImportRequest {
        connection: connection.into(),
        mappings: tables.iter().map(mapping).collect(),
        destination: None,
        read: ReadChoice::Auto,
    };
    for outcome in app.import(&request, &unwatched(), &never()).await.unwrap() {
        outcome.result.unwrap();
    }
}

/// A connection by a client app, with what is imported first.
pub(crate) async fn connect_and_import(
    app: &App,
    (name, org): (&str, &str),
    choice: AppChoice,
    objects: &[&str],
    schedule: &str,
) -> Vec<String> {
    let request = ConnectRequest {
        name: Some(name.into()),
        org: org.into(),
        customer: None,
        app: choice,
        api_version: None,
        confirmed: Confirmed::default(),
        owner: None,
        actor: Actor::CommandLine,
        first_import: FirstImport {
            objects: objects.iter().map(|object| (*object).to_owned()).collect(),
            schedule: schedule.parse().unwrap(),
        },
    };
    app.connect(request, Offered::ClientCredentials, &Quiet).await.unwrap().warnings
}

async fn decide(app: &App, connection: &str, decision: Decision) {
    app.decide(connection, &[], &decision, &Actor::CommandLine).await.unwrap();
}

fn every_quarter() -> Decision {
    Decision::Schedule("every 15 minutes".parse().unwrap())
}

pub(crate) async fn planned(app: &App, connection: &str) -> PlannedStream {
    app.schedules(connection, &[]).await.unwrap().remove(0)
}

/// Runs what is due until nothing is.
async fn work_off(workers: &mut Workers) -> Vec<Ended> {
    let mut all = Vec::new();
    loop {
        workers.look().await.unwrap();
        let Some(ended) = workers.ended().await else { return all };
        all.push(ended);
        assert!(all.len() < 100, "{all:#?}");
    }
}

/// Acme, connected, with its accounts every quarter of an hour.
async fn acme_every_quarter(clock: SharedClock) -> (Acme, Arc<App>) {
    let acme = Acme::start().await;
    let app = Arc::new(acme.app_with_clock(clock).await);
    connect(&app, "acme", ORG, (CLIENT_ID, CLIENT_SECRET)).await;
    import(&app, "acme", &[("Account", "Account")]).await;
    decide(&app, "acme", every_quarter()).await;
    (acme, app)
}

fn hold_everything(org: &Acme) {
    let on = Pattern::from("*");
    org.emulator.control().set_fault_rate(FaultRate { on, probability: 1.0, effect: Effect::Hang });
}

fn let_go(org: &Acme) {
    org.emulator.control().clear_faults();
    org.emulator.control().release();
}

/// A program on the store of a fixture.
pub(crate) async fn app_on(fixture: &Fixture, org: &Acme, changed: &[(&str, &str)]) -> App {
    let place = fixture.place();
    let mut settings = vec![("ORGTIDE_KEY", fixture.keyring.as_str())];
    match fixture.kind() {
        "sqlite" => settings.push(("ORGTIDE_DATA_DIR", Path::new(&place).parent().unwrap().to_str().unwrap())),
        _ => settings.push(("ORGTIDE_DATABASE_URL", &place)),
    }
    settings.extend(changed);
    App::open(org.config(&settings), fixture.clock.clone(), "test").await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_org_whose_runs_take_long_does_not_hold_up_ten_small_customers() {
    let (acme, clock) = (Acme::start().await, Arc::new(HandClock::new()));
    let huge = Acme::of(Scenario::builtin("g2-genfin").unwrap()).await;
    let mut config = acme.config(&[]);
    config.http.mapped_hosts.extend(huge.mapped_hosts());
    config.http.extra_ca_pem.push(huge.emulator.ca_pem().to_owned());
    let app = Arc::new(App::open(config, clock.clone(), "test").await.unwrap());
    connect(&app, "huge", "harbor-credit.my.salesforce.com", ("3MVG9.harbor.genfin", "harbor-genfin-secret")).await;
    import(&app, "huge", &["a", "b", "c", "d", "e", "f"].map(|table| ("Contact", table))).await;
    let small: Vec<String> = (0..10).map(|number| format!("small{number}")).collect();
    for name in &small {
        connect(&app, name, ORG, (CLIENT_ID, CLIENT_SECRET)).await;
        import(&app, name, &[("Account", "Account")]).await;
    }
    for name in small.iter().map(String::as_str).chain(["huge"]) {
        decide(&app, name, every_quarter()).await;
    }
    clock.advance_by(2 * QUARTER);
    hold_everything(&huge);
    let mut workers = workers(&app);
    let mut served = Vec::new();
    while served.len() < small.len() {
        workers.look().await.unwrap();
        assert!(workers.under_way() <= 4, "no more than there are workers");
        let ended = workers.ended().await.unwrap();
        assert_eq!(ended.next, Next::OnSchedule, "{ended:?}");
        served.push(ended.connection);
    }
    served.sort();
    assert_eq!(served, small, "each of them once, while the huge org keeps the workers that it may have");
    workers.look().await.unwrap();
    assert_eq!(workers.under_way(), 2);
    let_go(&huge);
    let ended = work_off(&mut workers).await;
    assert_eq!(ended.len(), 6, "{ended:?}");
    assert!(ended.iter().all(|ended| ended.connection == "huge" && ended.next == Next::OnSchedule), "{ended:?}");
}

on_both_databases! {
    async fn an_org_bears_no_more_runs_at_once_than_set_over_all_processes(fixture: Fixture) {
        let org = Acme::start().await;
        let settings = [("ORGTIDE_RUNS_PER_ORG", "3")];
        let processes = [
            Arc::new(app_on(&fixture, &org, &settings).await),
            Arc::new(app_on(&fixture, &org, &settings).await),
        ];
        connect(&processes[0], "acme", ORG, (CLIENT_ID, CLIENT_SECRET)).await;
        let tables = ["a", "b", "c", "d", "e", "f", "g"].map(|table| ("Account", table));
        import(&processes[0], "acme", &tables).await;
        decide(&processes[0], "acme", every_quarter()).await;
        fixture.clock.advance_by(2 * QUARTER);
        hold_everything(&org);
        let [mut one, mut two] = [workers(&processes[0]), workers(&processes[1])];
        for _ in 0..2 {
            let (first, second) = tokio::join!(one.look(), two.look());
            first.and(second).unwrap();
            assert_eq!(one.under_way() + two.under_way(), 3, "{}", fixture.kind());
        }
        let_go(&org);
        let (first, second) = tokio::join!(work_off(&mut one), work_off(&mut two));
        let mut streams: Vec<String> =
            first.into_iter().chain(second).filter(|ended| ended.next == Next::OnSchedule).map(|it| it.stream_id).collect();
        let runs = streams.len();
        streams.sort();
        streams.dedup();
        assert_eq!((streams.len(), runs), (7, 7), "each stream has run, and once");
    }

    async fn a_turn_is_taken_once_and_a_decision_made_meanwhile_stays(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let connection = with_streams(&fixture, 2).await;
        let mut plans = store.plans(&connection.id).await.unwrap();
        assert!(plans.iter().all(|(_, plan)| *plan == Plan::default()), "nothing is planned yet");
        assert!(store.due(9).await.unwrap().is_empty());
        let now = fixture.clock.now();
        let trouble = Trouble { needs: Needs::Time, message: "down".into(), since: Timestamp(5) };
        plans[0].1 = Plan {
            schedule: "daily at 03:00 Europe/Berlin".parse().unwrap(),
            next_at: Some(now),
            failures: 2,
            trouble: Some(trouble.clone()),
            ..Plan::default()
        };
        plans[1].1 = Plan { paused: true, next_at: Some(now), wanted_at: None, ..Plan::default() };
        store.save_plans(&connection, &plans, &Actor::CommandLine, "streams-scheduled", &json!({})).await.unwrap();
        assert_eq!(store.plans(&connection.id).await.unwrap(), plans, "{}", fixture.kind());
        let due = store.due(9).await.unwrap();
        assert_eq!(due.len(), 1, "what is paused is not due");
        assert_eq!((&due[0].schedule, due[0].failures, &due[0].trouble), (&plans[0].1.schedule, 2, &Some(trouble)));

        let other = fixture.open().await.unwrap();
        let (one, two) = tokio::join!(store.take_turn(&due[0]), other.take_turn(&due[0]));
        let taken: Vec<_> = [one.unwrap(), two.unwrap()].into_iter().flatten().collect();
        assert_eq!(taken.len(), 1, "by one of them");
        assert_eq!(store.due(9).await.unwrap().len(), 1, "a killed process leaves it due");

        store.end_turn(&due[0].stream_id, taken[0], None, 0, None).await.unwrap();
        assert!(store.due(9).await.unwrap().is_empty());
        assert!(store.take_turn(&due[0]).await.unwrap().is_none(), "it is not due any more");

        plans[0].1.wanted_at = Some(now);
        store.save_plans(&connection, &plans[..1], &Actor::CommandLine, "run-wanted", &json!({})).await.unwrap();
        let due = store.due(9).await.unwrap();
        assert!(due[0].is_wanted);
        let turn = store.take_turn(&due[0]).await.unwrap().unwrap();
        store.save_plans(&connection, &plans[..1], &Actor::CommandLine, "run-wanted", &json!({})).await.unwrap();
        store.end_turn(&due[0].stream_id, turn, None, 0, None).await.unwrap();
        assert_eq!(store.due(9).await.unwrap().len(), 1, "whoever asked during the run gets another one");
    }

    async fn each_connection_shows_as_many_as_are_looked_at_and_a_forgotten_stream_is_due_no_more(fixture: Fixture) {
        let store = fixture.open().await.unwrap();
        let connection = with_streams(&fixture, 5).await;
        let now = fixture.clock.now().0;
        let mut plans = store.plans(&connection.id).await.unwrap();
        (0..).zip(&mut plans).for_each(|(number, (_, plan))| plan.next_at = Some(Timestamp(now - number)));
        plans[0].1.wanted_at = Some(Timestamp(now));
        store.save_plans(&connection, &plans, &Actor::CommandLine, "streams-scheduled", &json!({})).await.unwrap();
        let mut due: Vec<String> = store.due(2).await.unwrap().into_iter().map(|due| due.stream_id).collect();
        due.sort();
        let mut expected = vec![plans[0].0.clone(), plans[4].0.clone()];
        expected.sort();
        assert_eq!(due, expected, "what is asked for, and what has waited longest");

        let holder = Holder::this_process("test");
        let streams = store.streams(&connection.id).await.unwrap();
        let forgotten = streams.iter().find(|stream| stream.id == plans[4].0).unwrap();
        let lease = store.acquire_lease(&forgotten.lease_name(), &holder, Duration::from_secs(60)).await.unwrap();
        store.forget_stream(&forgotten.id, &lease).await.unwrap();
        assert!(store.due(9).await.unwrap().iter().all(|due| due.stream_id != forgotten.id));
    }
}

/// A connection in the store, with streams that nobody has planned anything for.
async fn with_streams(fixture: &Fixture, count: usize) -> Connection {
    let store = fixture.open().await.unwrap();
    store.save_connection(&refreshing(STEADY)).await.unwrap();
    let connection = store.connection("acme").await.unwrap();
    let mapping = Mapping { object: "Account".into(), ..Mapping::default() };
    for number in 0..count {
        let new = NewStream {
            connection_id: &connection.id,
            destination: "sqlite:/nowhere/acme.db",
            object: "Account",
            table: &format!("Account{number}"),
            mapping: &mapping,
            read: ReadChoice::Auto,
        };
        store.remember_stream(&new).await.unwrap();
    }
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_in_three_days_is_caught_up_by_one_run() {
    let clock = Arc::new(HandClock::new());
    let (_acme, app) = acme_every_quarter(clock.clone()).await;
    let mut workers = workers(&app);
    let first = planned(&app, "acme").await.schedule.next_at.unwrap();
    let wait = first.0 - clock.now().0;
    assert!(wait > 0 && wait <= 15 * 60_000, "{wait}");
    assert!(work_off(&mut workers).await.is_empty(), "not before");
    clock.advance_by(Duration::from_millis(u64::try_from(wait).unwrap()));
    assert_eq!(work_off(&mut workers).await.len(), 1);
    assert_eq!(planned(&app, "acme").await.schedule.next_at.unwrap().0, first.0 + 15 * 60_000);

    clock.advance_by(Duration::from_secs(3 * 24 * 3600));
    assert_eq!(work_off(&mut workers).await.len(), 1, "once for all that was missed");
    let next = planned(&app, "acme").await.schedule.next_at.unwrap();
    assert!(next > clock.now() && (next.0 - first.0) % (15 * 60_000) == 0, "and then as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_stream_waits_runs_once_when_it_is_asked_for_and_catches_up_when_it_is_resumed() {
    let clock = Arc::new(HandClock::new());
    let (_acme, app) = acme_every_quarter(clock.clone()).await;
    let mut workers = workers(&app);
    decide(&app, "acme", Decision::Pause).await;
    clock.advance_by(10 * QUARTER);
    assert!(work_off(&mut workers).await.is_empty());
    decide(&app, "acme", Decision::RunNow).await;
    assert!(planned(&app, "acme").await.schedule.is_wanted);
    assert_eq!(work_off(&mut workers).await.len(), 1);
    let stream = planned(&app, "acme").await.schedule;
    assert!(stream.paused && !stream.is_wanted);
    clock.advance_by(10 * QUARTER);
    decide(&app, "acme", Decision::Resume).await;
    assert_eq!(work_off(&mut workers).await.len(), 1);
    let events: Vec<String> = app.journal(Some("acme"), 9).await.unwrap().into_iter().map(|it| it.event).collect();
    for event in ["streams-scheduled", "streams-paused", "run-wanted", "streams-resumed"] {
        assert!(events.iter().any(|noted| noted == event), "{event}: {events:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_a_schedule_runs_when_somebody_asks_for_it() {
    let clock = Arc::new(HandClock::new());
    let (_acme, app) = acme_every_quarter(clock.clone()).await;
    decide(&app, "acme", Decision::Schedule("none".parse().unwrap())).await;
    clock.advance_by(10 * QUARTER);
    let mut workers = workers(&app);
    assert!(work_off(&mut workers).await.is_empty());
    decide(&app, "acme", Decision::RunNow).await;
    assert_eq!(work_off(&mut workers).await.len(), 1);
    assert_eq!(planned(&app, "acme").await.schedule.next_at, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_connection_waits_and_counts_no_failure() {
    let clock = Arc::new(HandClock::new());
    let (_acme, app) = acme_every_quarter(clock.clone()).await;
    app.switch("acme", |switches| switches.paused = true, &Actor::CommandLine).await.unwrap();
    clock.advance_by(2 * QUARTER);
    let mut workers = workers(&app);
    assert!(work_off(&mut workers).await.is_empty());
    assert_eq!(planned(&app, "acme").await.schedule.failures, 0);
    app.switch("acme", |switches| switches.paused = false, &Actor::CommandLine).await.unwrap();
    assert_eq!(work_off(&mut workers).await.len(), 1);
}

fn refusal(status: u16, code: &str) -> Effect {
    Effect::Error { status, code: code.into(), message: "played".into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_failure_is_tried_again_after_longer_and_longer_waits() {
    let clock = Arc::new(HandClock::new());
    let (acme, app) = acme_every_quarter(clock.clone()).await;
    clock.advance_by(2 * QUARTER);
    let mut workers = workers(&app);
    for (failures, wait) in [(1, 30), (2, 60), (3, 120)] {
        acme.fault("*", refusal(403, "REQUEST_LIMIT_EXCEEDED"));
        let ended = work_off(&mut workers).await;
        assert_eq!(ended.len(), 1, "{ended:?}");
        assert_eq!(ended[0].next, Next::Retry { wait: Duration::from_secs(wait) });
        let stream = planned(&app, "acme").await.schedule;
        assert_eq!((stream.failures, stream.trouble.unwrap().needs), (failures, Needs::Time));
        clock.advance_by(Duration::from_secs(wait - 1));
        assert!(work_off(&mut workers).await.is_empty(), "not before");
        clock.advance(1);
    }
    assert_eq!(work_off(&mut workers).await.len(), 1);
    let stream = planned(&app, "acme").await.schedule;
    assert_eq!((stream.failures, stream.trouble), (0, None), "and then it is forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_person_stays_visible_is_tried_rarely_and_at_once_when_somebody_asks() {
    let clock = Arc::new(HandClock::new());
    let (acme, app) = acme_every_quarter(clock.clone()).await;
    clock.advance_by(2 * QUARTER);
    let mut workers = workers(&app);
    acme.fault("*", refusal(403, "API_DISABLED_FOR_ORG"));
    assert!(matches!(work_off(&mut workers).await[0].next, Next::Person { .. }));
    clock.advance_by(Duration::from_secs(5 * 3600));
    assert!(work_off(&mut workers).await.is_empty());
    let shown = acme.run("status").await;
    assert!(shown.out.contains("Account needs a person"), "{shown:?}");
    assert!(shown.out.contains("API_DISABLED_FOR_ORG"), "{shown:?}");
    decide(&app, "acme", Decision::RunNow).await;
    assert_eq!(work_off(&mut workers).await[0].next, Next::OnSchedule);
    assert_eq!(planned(&app, "acme").await.schedule.trouble, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_needs_a_new_sign_in_is_waited_for_and_its_streams_run_after_it() {
    let clock = Arc::new(HandClock::new());
    let (acme, app) = acme_every_quarter(clock.clone()).await;
    clock.advance_by(2 * QUARTER);
    acme.emulator.control().expire_sessions();
    let body = r#"{"error":"invalid_grant","error_description":"no client credentials user enabled"}"#.to_owned();
    acme.fault(TOKEN, Effect::Answer { status: 400, content_type: "application/json;charset=UTF-8".into(), body });
    let mut workers = workers(&app);
    workers.look().await.unwrap();
    let ended = workers.ended().await.unwrap();
    assert_eq!(ended.next, Next::StillDue, "{ended:?}");
    let (connection, _) = app.prospect("acme").await.unwrap();
    assert!(matches!(connection.state, ConnectionState::NeedsReauthorization { .. }), "{:?}", connection.state);
    let before = acme.emulator.control().journal().len();
    clock.advance_by(QUARTER);
    assert!(work_off(&mut workers).await.is_empty());
    assert_eq!(acme.emulator.control().journal().len(), before, "nothing is asked meanwhile");
    assert_eq!(planned(&app, "acme").await.schedule.failures, 0);
    connect(&app, "acme", ORG, (CLIENT_ID, CLIENT_SECRET)).await;
    assert_eq!(work_off(&mut workers).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_a_person_runs_is_left_to_them_and_looked_at_later() {
    let clock = Arc::new(HandClock::new());
    let (acme, app) = acme_every_quarter(clock.clone()).await;
    let person = Arc::new(acme.app_with_clock(clock.clone()).await);
    clock.advance_by(2 * QUARTER);
    hold_everything(&acme);
    let by_hand = tokio::spawn(async move { person.sync("acme", &[], &unwatched(), &never()).await });
    until("a request that is held", || acme.emulator.control().journal().last().unwrap().status.is_none()).await;
    let mut workers = workers(&app);
    workers.look().await.unwrap();
    assert_eq!(workers.under_way(), 0);
    let_go(&acme);
    by_hand.await.unwrap().unwrap().remove(0).result.unwrap();
    assert_eq!(work_off(&mut workers).await.len(), 1);
    assert_eq!(planned(&app, "acme").await.schedule.failures, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_told_to_end_begins_nothing_more_and_leaves_what_is_due_to_others() {
    let clock = Arc::new(HandClock::new());
    let (_acme, app) = acme_every_quarter(clock.clone()).await;
    clock.advance_by(2 * QUARTER);
    let (stop, stopped) = watch::channel(false);
    let mut ending = Workers::new(Arc::clone(&app), stopped.clone());
    stop.send(true).unwrap();
    assert!(work_off(&mut ending).await.is_empty());
    app.clone().keep_running(stopped).await;
    assert_eq!(work_off(&mut workers(&app)).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_imported_first_starts_by_itself_when_the_connection_is_saved() {
    let (acme, clock) = (Acme::start().await, Arc::new(HandClock::new()));
    let app = Arc::new(acme.app_with_clock(clock.clone()).await);
    let own = || AppChoice::Own { client_id: CLIENT_ID.into(), client_secret: Some(CLIENT_SECRET.to_owned().into()) };
    let warnings =
        connect_and_import(&app, ("acme", ORG), own(), &["account", "Kontakt__c", "Contact"], "hourly").await;
    assert!(warnings.len() == 1 && warnings[0].starts_with("Kontakt__c is not imported: "), "{warnings:?}");
    let mut workers = workers(&app);
    let mut imported: Vec<String> = work_off(&mut workers).await.into_iter().map(|ended| ended.object).collect();
    imported.sort();
    assert_eq!(imported, ["Account", "Contact"]);
    assert_eq!(rows(&acme.data().join("acme.db"), "SELECT count(*) FROM Contact"), 400);
    let stream = planned(&app, "acme").await.schedule;
    assert!(stream.schedule == "hourly" && stream.next_at.unwrap() > clock.now(), "{stream:?}");
    decide(&app, "acme", every_quarter()).await;
    connect_and_import(&app, ("acme", ORG), own(), &["Account"], "none").await;
    assert!(work_off(&mut workers).await.is_empty(), "what is imported already is left as it is");
    assert_eq!(planned(&app, "acme").await.schedule.schedule, "every 15 minutes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_app_of_the_server_configuration_says_what_its_orgs_import_first() {
    let (acme, clock) = (Acme::start().await, Arc::new(HandClock::new()));
    let file = acme.directory.path().join("config.toml");
    let section = format!(
        "[client_apps.acme]\nclient_id = '{CLIENT_ID}'\nclient_secret = '{CLIENT_SECRET}'\n\
         first_import = ['Account']\nschedule = 'daily at 03:00 Europe/Berlin'\n"
    );
    std::fs::write(&file, section).unwrap();
    let config = acme.config(&[("ORGTIDE_CONFIG", file.to_str().unwrap())]);
    let app = Arc::new(App::open(config, clock, "test").await.unwrap());
    let configured = AppChoice::Configured { name: None };
    assert!(connect_and_import(&app, ("acme", ORG), configured, &[], "none").await.is_empty());
    assert_eq!(work_off(&mut workers(&app)).await.len(), 1);
    assert_eq!(planned(&app, "acme").await.schedule.schedule, "daily at 03:00 Europe/Berlin");
}

#[tokio::test]
async fn the_command_line_shows_and_sets_schedules() {
    let acme = Acme::start().await;
    acme.connect().await;
    assert_eq!(acme.run("import acme Account Contact --limit 3").await.code, 0);
    let shown = acme.run("schedule acme").await;
    assert!(shown.code == 0 && shown.out.contains("Account  none"), "{shown:?}");
    let set = acme.run("schedule acme contact daily at 3am europe/berlin --json").await.json();
    assert_eq!(set["streams"][0]["schedule"], "daily at 03:00 Europe/Berlin", "{set}");
    assert!(set["streams"][0]["next_at"].is_string() && set["streams"].as_array().unwrap().len() == 1, "{set}");
    let paused = acme.run("schedule acme Contact --pause").await;
    assert!(paused.out.contains("paused"), "{paused:?}");
    let both = acme.run("schedule acme every 20 minutes --now").await;
    assert_eq!(both.out.matches("every 20 minutes  asked for").count(), 2, "{both:?}");
    let status = acme.run("status --json").await.json();
    assert_eq!(status["connections"][0]["streams"][1]["schedule"]["schedule"], "every 20 minutes");
    assert_eq!(status["connections"][0]["streams"][1]["schedule"]["is_wanted"], true);
    for (line, code, words) in [
        ("schedule acme Lead", "unknown_stream", "Lead"),
        ("schedule acme Leed every 5m", "unknown_stream", "Leed"),
        ("schedule acme Account every 5 seconds", "schedule", "every 5 seconds"),
        ("schedule acme Account daily 03:00 Europe/Berln", "schedule", "is Europe/Berlin meant?"),
        ("schedule nobody hourly", "unknown_name", "nobody"),
    ] {
        let refused = acme.run(&format!("{line} --json")).await;
        let error = &refused.json()["error"];
        assert_eq!((refused.code, error["code"].as_str().unwrap()), (3, code), "{refused:?}");
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    }
}
