//! Fields that are retyped, renamed or taken away: the copy is then what a fresh reading gives, and nothing is lost.

use std::{sync::Arc, time::Duration};

use emulator::{
    Effect, Fault, Scenario,
    scenario::Advance,
    schema::{FieldSpec, FieldType},
};
use orgtide::{
    app::import::{ImportRequest, StreamOutcome, Watcher},
    error::Error,
    store::journal::Actor,
};
use serde_json::{Value, json};
use sync::{
    mapping::{Drift, Mapping},
    read::ReadChoice,
};
use tokio::sync::watch;

use crate::{
    describes::{InProcess, Unwatched, of_object},
    org::{Acme, Ended, end_of, ended, in_time, until},
    place::Place,
};

/// Longer than describes live and settings of an org take to be known everywhere.
const LATER: Duration = Duration::from_secs(20 * 60);

const QUERY: &str = "GET /services/data/vXX.X/query*";
const JOBS: &str = "POST /services/data/vXX.X/jobs/query";

/// What a field is like before and after.
const RETYPED: [(&str, FieldType, FieldType); 4] = [
    ("Code__c", FieldType::String, FieldType::Double),
    ("Score__c", FieldType::Double, FieldType::String),
    ("Stage__c", FieldType::Picklist, FieldType::String),
    ("Day__c", FieldType::Date, FieldType::DateTime),
];

fn spec(name: &str, kind: FieldType) -> FieldSpec {
    let spec = FieldSpec::of(name, kind);
    match kind {
        FieldType::Double => FieldSpec { precision: Some(18), scale: Some(2), ..spec },
        FieldType::Picklist => FieldSpec { picklist: vec!["Open".into(), "Won".into()], ..spec },
        _ => spec,
    }
}

/// An org with some probes, whose fields are of the former types.
async fn probes() -> InProcess {
    let scene = InProcess::start().await;
    let control = scene.acme.emulator.control();
    control.declare_object(&serde_json::from_value(json!({"name": "Probe__c"})).unwrap()).unwrap();
    for (name, before, _) in RETYPED {
        control.declare_field("Probe__c", &spec(name, before)).unwrap();
    }
    control.declare_field("Probe__c", &spec("Former__c", FieldType::String)).unwrap();
    for (code, score, stage, day) in [
        ("7", json!(7.5), "Open", "2024-09-24"),
        ("0012.50", json!(-0.25), "Won", "1999-12-31"),
        ("seven", json!(100), "Open", "2026-01-01"),
        ("", Value::Null, "", ""),
    ] {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let probe = json!({"Name": format!("Probe {code}"), "Code__c": some(code), "Score__c": score,
            "Stage__c": some(stage), "Day__c": some(day), "Former__c": some(code)});
        control.insert("Probe__c", probe).unwrap();
    }
    scene
}

/// The org's admins change the fields, and somebody makes a record as the fields are now.
fn change(scene: &InProcess) {
    let control = scene.acme.emulator.control();
    for (name, _, after) in RETYPED {
        control.retype_field("Probe__c", &spec(name, after)).unwrap();
    }
    control.rename_field("Probe__c", "Former__c", "Latter__c").unwrap();
    scene.pass(LATER);
    let recent = json!({"Name": "Recent", "Code__c": 41.25, "Score__c": "many", "Stage__c": "Lost",
        "Day__c": "2026-02-03T04:05:06.000Z", "Latter__c": "recent"});
    control.insert("Probe__c", recent).unwrap();
}

async fn import(scene: &InProcess, mapping: Mapping, place: &Place) {
    let request = ImportRequest {
        connection: "acme".into(),
        mappings: vec![mapping],
        destination: Some(place.to()),
        read: ReadChoice::Auto,
    };
    let watcher: Arc<dyn Watcher> = Arc::new(Unwatched);
    let (_keep, stop) = watch::channel(false);
    for outcome in scene.app.import(&request, &watcher, &stop).await.unwrap() {
        assert!(outcome.result.is_ok(), "{outcome:?}");
    }
}

async fn sync(scene: &InProcess) -> StreamOutcome {
    scene.sync().await.pop().unwrap()
}

async fn accept(scene: &InProcess) {
    let decided = scene.app.decide_drifts("acme", &[], true, &Actor::CommandLine).await.unwrap();
    assert_eq!(decided, ["Probe__c"]);
}

async fn is_what_a_fresh_reading_gives(scene: &InProcess, place: &Place, drift: Drift) {
    import(scene, Mapping { table: Some("Fresh".into()), ..of_object("Probe__c") }, place).await;
    let columns = place.columns("Fresh").await;
    assert!(columns.contains(&"Latter__c".to_owned()) && columns.contains(&"Code__c".to_owned()), "{columns:?}");
    let (copy, fresh) = (place.rows("Probe__c", &columns).await, place.rows("Fresh", &columns).await);
    assert_eq!(fresh.len(), 5);
    assert_eq!(copy, fresh, "{drift:?} in {}", place.to());
    let former = place.rows("Probe__c", &["Former__c".to_owned()]).await;
    let kept = ["Former__c=0012.50", "Former__c=7", "Former__c=null", "Former__c=null", "Former__c=seven"];
    assert_eq!(former, kept, "the column of a field that is gone keeps its values");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_are_retyped_and_renamed_between_runs_are_in_the_copy_as_in_one_that_is_read_afresh() {
    let folder = tempfile::tempdir().unwrap();
    for place in Place::each(folder.path()).await {
        for drift in [Drift::Apply, Drift::Ask, Drift::Stop] {
            let scene = probes().await;
            import(&scene, Mapping { drift, ..of_object("Probe__c") }, &place).await;
            change(&scene);
            let first = sync(&scene).await;
            let recent = place.count("\"Probe__c\" WHERE \"Name\" = 'Recent'").await;
            match drift {
                Drift::Apply => assert!(first.result.is_ok() && recent == 1, "{first:?}"),
                Drift::Ask => {
                    assert!(first.result.is_ok() && recent == 1, "{first:?}");
                    assert!(!place.columns("Probe__c").await.contains(&"Latter__c".to_owned()));
                    accept(&scene).await;
                    let second = sync(&scene).await;
                    assert!(second.result.is_ok(), "{second:?}");
                }
                Drift::Stop => {
                    assert!(matches!(first.result, Err(Error::Drifted { .. })) && recent == 0, "{first:?}");
                    accept(&scene).await;
                    let second = sync(&scene).await;
                    assert!(second.result.is_ok(), "{second:?}");
                }
            }
            is_what_a_fresh_reading_gives(&scene, &place, drift).await;
            place.execute("DROP TABLE \"Probe__c\"; DROP TABLE \"Fresh\"; DROP TABLE _orgtide_checkpoints").await;
        }
    }
}

/// An org whose contacts come in small pages and have a field that somebody is going to remove.
async fn with_a_brief() -> Acme {
    let mut scenario = Scenario::builtin("acme").unwrap();
    (scenario.pages.rows, scenario.pages.rows_with_long_text, scenario.bulk.page_rows) = (100, 100, 100);
    for user in &mut scenario.users {
        "System Administrator".clone_into(&mut user.profile);
    }
    let org = Acme::of(scenario).await;
    let control = org.emulator.control();
    control.declare_field("Contact", &FieldSpec::of("Brief__c", FieldType::String)).unwrap();
    for contact in control.records("Contact") {
        control.update(contact["Id"].as_str().unwrap(), json!({"Brief__c": "there"})).unwrap();
    }
    org.connect().await;
    org
}

/// The run has gone on without the field; the copy is whole otherwise, and the journal of drift names the field.
async fn went_on_without_it(org: &Acme, place: &Place, imported: &Ended) {
    assert_eq!(imported.code, 0, "{imported:?}");
    let mapping = org.directory.path().join("fresh.toml");
    std::fs::write(&mapping, "object = \"Contact\"\ntable = \"Fresh\"\n").unwrap();
    let fresh = org.run(&format!("import acme --mapping {} --to {}", mapping.display(), place.to())).await;
    assert_eq!(fresh.code, 0, "{fresh:?}");
    let columns = place.columns("Fresh").await;
    assert!(!columns.contains(&"Brief__c".to_owned()) && columns.len() > 10, "{columns:?}");
    let rows = place.rows("Contact", &columns).await;
    assert_eq!(rows.len(), 400);
    for (row, fresh) in rows.iter().zip(place.rows("Fresh", &columns).await) {
        assert_eq!(*row, fresh);
    }
    let drift = org.run("drift acme Contact --json").await;
    assert!(drift.out.contains("Brief__c") && drift.out.contains("gone"), "{drift:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_goes_while_pages_are_read_costs_neither_the_run_nor_a_record() {
    let folder = tempfile::tempdir().unwrap();
    for place in Place::each(folder.path()).await {
        let org = with_a_brief().await;
        let control = org.emulator.control();
        control.push_fault(Fault { nth: 3, ..Fault::next(QUERY, Effect::Hang) });
        let mut importing = org.spawn(&format!("import acme Contact --read rest --to {}", place.to()));
        org.faults_struck(end_of(&mut importing)).await;
        control.remove_field("Contact", "Brief__c").unwrap();
        // A cursor goes on with what it was opened for; one that is lost is opened anew.
        org.fault(QUERY, Effect::ExpiredLocator);
        control.release();
        let imported = in_time("the end of the import", ended(importing)).await;
        assert!(control.unused_faults().is_empty());
        went_on_without_it(&org, &place, &imported).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_goes_while_a_job_is_at_work_costs_neither_the_run_nor_a_record() {
    let org = with_a_brief().await;
    let control = org.emulator.control();
    let place = Place::File(org.directory.path().join("rows.db"));
    control.set_job_advance(Advance::Step);
    let importing = org.spawn(&format!("import acme Contact --read bulk --to {}", place.to()));
    until("a job", || org.asked(JOBS) == 1).await;
    control.remove_field("Contact", "Brief__c").unwrap();
    control.set_job_advance(Advance::Auto);
    // Into work, and through it.
    control.step_jobs();
    control.step_jobs();
    let imported = in_time("the end of the import", ended(importing)).await;
    assert!(org.asked(JOBS) > 1, "the first job failed, and another one was made");
    went_on_without_it(&org, &place, &imported).await;
}
