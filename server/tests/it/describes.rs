//! What is asked of an org about its objects, and how often.

use std::{sync::Arc, time::Duration};

use emulator::{
    Scenario,
    schema::{FieldSpec, FieldType},
};
use orgtide::app::{
    App,
    import::{ImportRequest, RunEvent, StreamOutcome, Watcher},
};
use serde_json::json;
use sync::{
    mapping::{ColumnMapping, Mapping},
    read::ReadChoice,
};
use tokio::sync::watch;

use crate::{
    database::HandClock,
    org::{Acme, rows},
};

const COMPOSITE: &str = "POST /services/data/vXX.X/composite";
const DESCRIBE: &str = "GET /services/data/vXX.X/sobjects/{object}/describe";
const QUERY: &str = "GET /services/data/vXX.X/query";
const QUERY_ALL: &str = "GET /services/data/vXX.X/queryAll";
/// Asks nothing of the quota.
const VERSIONS: &str = "GET /services/data";

pub(crate) struct Unwatched;

impl Watcher for Unwatched {
    fn event(&self, _: RunEvent<'_>) {}
}

/// An org whose user sees everything, with an app in this process whose clock a test moves.
pub(crate) struct InProcess {
    pub(crate) acme: Acme,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) app: App,
}

impl InProcess {
    pub(crate) async fn start() -> Self {
        let mut scenario = Scenario::builtin("acme").unwrap();
        for user in &mut scenario.users {
            "System Administrator".clone_into(&mut user.profile);
        }
        let acme = Acme::of(scenario).await;
        acme.connect().await;
        let clock = Arc::new(HandClock::new());
        let app = acme.app_with_clock(clock.clone()).await;
        Self { acme, clock, app }
    }

    /// Time passes here and in the org.
    pub(crate) fn pass(&self, time: Duration) {
        self.clock.advance_by(time);
        self.acme.emulator.control().advance(time);
    }

    pub(crate) async fn import(&self, mappings: Vec<Mapping>) -> Vec<StreamOutcome> {
        let request = ImportRequest { connection: "acme".into(), mappings, destination: None, read: ReadChoice::Auto };
        let watcher: Arc<dyn Watcher> = Arc::new(Unwatched);
        let (_keep, stop) = watch::channel(false);
        self.app.import(&request, &watcher, &stop).await.unwrap()
    }

    pub(crate) async fn sync(&self) -> Vec<StreamOutcome> {
        sync_by(&self.app).await
    }

    /// Another process with the same control store.
    async fn other_app(&self) -> App {
        self.acme.app_with_clock(self.clock.clone()).await
    }

    /// The requests since the journal had `before` entries, but for those that are free.
    pub(crate) fn requests_since(&self, before: usize) -> Vec<String> {
        let journal = self.acme.emulator.control().journal();
        let requests = journal[before..].iter().map(|entry| format!("{} {}", entry.method, entry.route));
        requests.filter(|request| request != VERSIONS && !request.contains("/oauth2/")).collect()
    }

    pub(crate) fn journalled(&self) -> usize {
        self.acme.emulator.control().journal().len()
    }
}

/// Imports objects whole.
pub(crate) async fn importing(app: &App, objects: &[&str]) -> Vec<StreamOutcome> {
    let mappings = objects.iter().map(|object| of_object(object)).collect();
    let request = ImportRequest { connection: "acme".into(), mappings, destination: None, read: ReadChoice::Auto };
    import_by(app, &request).await
}

pub(crate) async fn import_by(app: &App, request: &ImportRequest) -> Vec<StreamOutcome> {
    let watcher: Arc<dyn Watcher> = Arc::new(Unwatched);
    let (_keep, stop) = watch::channel(false);
    app.import(request, &watcher, &stop).await.unwrap()
}

async fn sync_by(app: &App) -> Vec<StreamOutcome> {
    let watcher: Arc<dyn Watcher> = Arc::new(Unwatched);
    let (_keep, stop) = watch::channel(false);
    app.sync("acme", &[], &watcher, &stop).await.unwrap()
}

pub(crate) fn of_object(object: &str) -> Mapping {
    Mapping { object: object.into(), ..Mapping::default() }
}

fn well(outcomes: &[StreamOutcome]) {
    for outcome in outcomes {
        assert!(outcome.result.is_ok(), "{outcome:?}");
    }
}

// Pitfall 23.
#[tokio::test(flavor = "multi_thread")]
async fn ten_objects_are_described_by_one_call_and_an_idle_cycle_asks_for_no_describe_at_all() {
    let scene = InProcess::start().await;
    let control = scene.acme.emulator.control();
    let mut mappings = vec![of_object("Account"), of_object("Contact")];
    for number in 1..=8 {
        let name = format!("Thing{number}__c");
        control.declare_object(&serde_json::from_value(json!({ "name": name })).unwrap()).unwrap();
        mappings.push(of_object(&name));
    }
    let owner = ColumnMapping::field("Owner.Name");
    mappings[0].columns = vec![ColumnMapping::field("Name"), owner];
    well(&scene.import(mappings).await);

    scene.pass(Duration::from_secs(11 * 60));
    let before = scene.journalled();
    well(&scene.sync().await);
    let requests = scene.requests_since(before);
    // Ten streams, one call for their describes, and one for the parent of one of them.
    assert_eq!(requests.len(), 12, "{requests:?}");
    assert_eq!(requests.iter().filter(|request| *request == DESCRIBE).count(), 1, "{requests:?}");

    scene.pass(Duration::from_secs(60));
    let before = scene.journalled();
    well(&scene.sync().await);
    let requests = scene.requests_since(before);
    assert_eq!(requests.len(), 10, "{requests:?}");
    assert!(requests.iter().all(|request| request == QUERY || request == QUERY_ALL), "{requests:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_has_just_begun_syncs_by_what_another_one_was_told_and_looks_anew_when_it_imports() {
    let scene = InProcess::start().await;
    well(&scene.import(vec![of_object("Account"), of_object("Contact")]).await);
    scene.acme.emulator.control().declare_field("Account", &FieldSpec::of("Fresh__c", FieldType::String)).unwrap();
    let has_fresh = "SELECT COUNT(*) FROM pragma_table_info('Account') WHERE name = 'Fresh__c'";

    let before = scene.journalled();
    well(&sync_by(&scene.other_app().await).await);
    let requests = scene.requests_since(before);
    assert_eq!(requests.len(), 2, "one for each object: {requests:?}");
    assert_eq!(rows(&scene.acme.data().join("acme.db"), has_fresh), 0);

    scene.pass(Duration::from_secs(11 * 60));
    let before = scene.journalled();
    well(&sync_by(&scene.other_app().await).await);
    assert_eq!(scene.requests_since(before).iter().filter(|request| *request == COMPOSITE).count(), 1);
    assert_eq!(rows(&scene.acme.data().join("acme.db"), has_fresh), 1);

    scene.acme.emulator.control().declare_field("Account", &FieldSpec::of("Fresher__c", FieldType::String)).unwrap();
    let importing = InProcess { app: scene.other_app().await, ..scene };
    well(&importing.import(vec![of_object("Account")]).await);
    assert_eq!(rows(&importing.acme.data().join("acme.db"), &has_fresh.replace("Fresh__c", "Fresher__c")), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_at_the_same_time_share_one_describe() {
    let scene = InProcess::start().await;
    let connection = scene.app.prospect("acme").await.unwrap().0;
    let (account, contact) = (of_object("Account"), of_object("Contact"));
    let mappings = [&account, &contact];
    let before = scene.journalled();
    let (one, two) = tokio::join!(
        scene.app.catalogue(&connection, &mappings, false),
        scene.app.catalogue(&connection, &mappings, false)
    );
    assert!(one.unwrap().object("account").is_some() && two.unwrap().object("Contact").is_some());
    assert_eq!(scene.requests_since(before), [COMPOSITE]);
    scene.app.catalogue(&connection, &mappings, true).await.unwrap();
    assert_eq!(scene.requests_since(before), [COMPOSITE, COMPOSITE], "fresh means asked again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_was_granted_a_moment_ago_is_not_refused_because_of_what_is_remembered() {
    let scene = InProcess::start().await;
    let connection = scene.app.prospect("acme").await.unwrap().0;
    let mut mapping = of_object("Account");
    scene.app.compiled(&connection, &mapping).await.unwrap();
    scene.acme.emulator.control().declare_field("Account", &FieldSpec::of("Fresh__c", FieldType::String)).unwrap();
    mapping.columns = vec![ColumnMapping::field("Fresh__c")];
    let compiled = scene.app.compiled(&connection, &mapping).await.unwrap();
    assert!(compiled.fields.iter().any(|field| field.path == "Fresh__c"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_shown_to_one_user_is_not_shown_to_another() {
    let scene = InProcess::start().await;
    let mut connection = scene.app.prospect("acme").await.unwrap().0;
    let mapping = of_object("Account");
    scene.app.catalogue(&connection, &[&mapping], false).await.unwrap();
    connection.user_id = "005000000000000AAA".into();
    let before = scene.journalled();
    scene.app.catalogue(&connection, &[&mapping], false).await.unwrap();
    assert_eq!(scene.requests_since(before), [DESCRIBE]);
}
