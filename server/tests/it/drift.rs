//! What becomes of streams when the fields of an org change.

use std::time::Duration;

use emulator::{
    ids::RecordId,
    schema::{FieldSpec, FieldType},
    value::Value,
};
use orgtide::{
    app::import::StreamOutcome,
    error::Error,
    store::{drifts::DriftState, journal::Actor},
};
use serde_json::json;
use sync::mapping::{ColumnMapping, Drift, Mapping};

use crate::{
    describes::{InProcess, of_object},
    org::rows,
};

/// Longer than describes live and settings of an org take to be known everywhere.
const LATER: Duration = Duration::from_secs(20 * 60);

impl InProcess {
    fn add_field(&self, object: &str, field: &str) {
        self.acme.emulator.control().declare_field(object, &FieldSpec::of(field, FieldType::String)).unwrap();
    }

    /// Takes a field away from every user, as field-level security does.
    fn hide(&self, field: &str) {
        self.acme
            .emulator
            .control()
            .change_setup(|setup| {
                for profile in setup.profiles.values_mut() {
                    profile.hidden_fields.push(field.into());
                }
            })
            .unwrap();
        self.acme.emulator.control().advance(LATER);
    }

    fn show_again(&self, field: &str) {
        self.acme
            .emulator
            .control()
            .change_setup(|setup| {
                for profile in setup.profiles.values_mut() {
                    profile.hidden_fields.retain(|hidden| *hidden != field.into());
                }
            })
            .unwrap();
        self.acme.emulator.control().advance(LATER);
    }

    fn contact(&self, last_name: &str) -> RecordId {
        self.acme.emulator.control().insert("Contact", json!({ "LastName": last_name })).unwrap()
    }

    fn store(&self, id: RecordId, field: &str, value: &str) {
        self.acme.emulator.control().write(|database, _| database.store_raw(id, field, Value::text(value)).unwrap());
    }

    fn count(&self, condition: &str) -> i64 {
        rows(&self.acme.data().join("acme.db"), &format!("SELECT COUNT(*) FROM Contact WHERE {condition}"))
    }

    fn has_column(&self, column: &str) -> bool {
        let sql = format!("SELECT COUNT(*) FROM pragma_table_info('Contact') WHERE name = '{column}'");
        rows(&self.acme.data().join("acme.db"), &sql) == 1
    }

    async fn met(&self) -> Vec<(DriftState, Vec<String>)> {
        let drifts = self.app.drifts("acme", &[]).await.unwrap();
        drifts.into_iter().map(|drift| (drift.state, drift.words)).collect()
    }

    async fn only(&self) -> StreamOutcome {
        self.sync().await.pop().unwrap()
    }
}

fn contacts(drift: Drift, fields: &[&str]) -> Mapping {
    Mapping {
        drift,
        columns: fields.iter().map(|field| ColumnMapping::field(*field)).collect(),
        ..of_object("Contact")
    }
}

fn well(outcome: &StreamOutcome) {
    assert!(outcome.result.is_ok(), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_field_is_read_and_filled_for_the_rows_of_before_and_a_hidden_one_keeps_its_values() {
    let scene = InProcess::start().await;
    let old = scene.contact("Old");
    scene.store(old, "Title", "Captain");
    well(&scene.import(vec![contacts(Drift::Apply, &[])]).await[0]);

    scene.pass(LATER);
    scene.add_field("Contact", "Fresh__c");
    scene.store(old, "Fresh__c", "there already");
    well(&scene.only().await);
    assert_eq!(scene.count("Fresh__c = 'there already'"), 1);

    scene.clock.advance_by(LATER);
    scene.hide("Contact.Title");
    let recent = scene.contact("Recent");
    well(&scene.only().await);
    assert_eq!(scene.count("Title = 'Captain'"), 1, "what was read stays");
    assert_eq!(scene.count(&format!("Id = '{recent}' AND Title IS NULL")), 1);

    scene.store(recent, "Title", "Mate");
    scene.clock.advance_by(LATER);
    scene.show_again("Contact.Title");
    well(&scene.only().await);
    assert_eq!(scene.count("Title IN ('Captain', 'Mate')"), 2, "what was hidden meanwhile is filled in");

    let met = scene.met().await;
    let words: Vec<&str> = met.iter().flat_map(|(_, words)| words).map(String::as_str).collect();
    assert_eq!(met.iter().map(|(state, _)| *state).collect::<Vec<_>>(), [DriftState::Applied; 3]);
    assert!(words[0].starts_with("Title") && words[0].ends_with("is there again"), "{words:?}");
    assert!(words[1].starts_with("Title") && words[1].ends_with("hidden from this user"), "{words:?}");
    assert!(words[2].starts_with("Fresh__c") && words[2].ends_with("is new"), "{words:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_hidden_while_its_describe_is_believed_costs_one_refused_query_and_no_run() {
    let scene = InProcess::start().await;
    let contact = scene.contact("Old");
    scene.store(contact, "Title", "Captain");
    well(&scene.import(vec![contacts(Drift::Apply, &["LastName", "Title"])]).await[0]);
    scene.hide("Contact.Title");
    scene.contact("Recent");
    well(&scene.only().await);
    assert_eq!((scene.count("LastName = 'Recent'"), scene.count("Title = 'Captain'")), (1, 1));
    assert_eq!(scene.met().await[0].0, DriftState::Applied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_asks_goes_on_with_what_was_agreed_until_somebody_accepts() {
    let scene = InProcess::start().await;
    let old = scene.contact("Old");
    well(&scene.import(vec![contacts(Drift::Ask, &[])]).await[0]);
    scene.add_field("Contact", "Fresh__c");
    scene.store(old, "Fresh__c", "there already");
    for _ in 0..2 {
        scene.pass(LATER);
        scene.contact("Recent");
        well(&scene.only().await);
    }
    assert!(!scene.has_column("Fresh__c"));
    assert_eq!(scene.count("LastName = 'Recent'"), 2);
    let met = scene.met().await;
    assert_eq!(met.iter().map(|(state, _)| *state).collect::<Vec<_>>(), [DriftState::Pending], "asked once");
    let pending = async || scene.app.status().await.unwrap()[0].streams[0].pending_changes.clone();
    assert_eq!(pending().await, met[0].1);

    assert_eq!(scene.app.decide_drifts("acme", &[], true, &Actor::CommandLine).await.unwrap(), ["Contact"]);
    well(&scene.only().await);
    assert_eq!(scene.count("Fresh__c = 'there already'"), 1);
    assert_eq!(scene.met().await[0].0, DriftState::Accepted);
    assert!(pending().await.is_empty());
    assert!(scene.app.decide_drifts("acme", &[], true, &Actor::CommandLine).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_field_is_never_read_and_not_asked_about_again() {
    let scene = InProcess::start().await;
    well(&scene.import(vec![contacts(Drift::Stop, &[])]).await[0]);
    scene.add_field("Contact", "Fresh__c");
    scene.pass(LATER);
    assert!(matches!(scene.only().await.result, Err(Error::Drifted { .. })));
    scene.app.decide_drifts("acme", &["Contact".into()], false, &Actor::CommandLine).await.unwrap();
    for _ in 0..2 {
        scene.pass(LATER);
        scene.contact("Recent");
        well(&scene.only().await);
    }
    assert!(!scene.has_column("Fresh__c"));
    assert_eq!(scene.met().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_stops_writes_nothing_until_somebody_accepts_and_loses_nothing_by_it() {
    let scene = InProcess::start().await;
    scene.contact("Old");
    well(&scene.import(vec![contacts(Drift::Stop, &["LastName", "Title"])]).await[0]);
    scene.pass(LATER);
    scene.hide("Contact.Title");
    scene.contact("Recent");
    let refused = scene.only().await.result.unwrap_err();
    let (message, remedy) = (refused.to_string(), refused.remedy().unwrap());
    assert!(message.contains("Title") && remedy.contains("orgtide drift accept acme Contact"), "{message} {remedy}");
    assert_eq!(scene.count("LastName = 'Recent'"), 0);
    scene.app.decide_drifts("acme", &[], true, &Actor::CommandLine).await.unwrap();
    well(&scene.only().await);
    assert_eq!(scene.count("LastName = 'Recent'"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_that_passes_is_pending_no_longer() {
    let scene = InProcess::start().await;
    well(&scene.import(vec![contacts(Drift::Ask, &["LastName", "Title"])]).await[0]);
    scene.clock.advance_by(LATER);
    scene.hide("Contact.Title");
    well(&scene.only().await);
    assert_eq!(scene.met().await[0].0, DriftState::Pending);
    scene.clock.advance_by(LATER);
    scene.show_again("Contact.Title");
    well(&scene.only().await);
    assert_eq!(scene.met().await[0].0, DriftState::Passed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_whose_every_field_is_gone_does_not_become_one_of_all_fields() {
    let scene = InProcess::start().await;
    well(&scene.import(vec![contacts(Drift::Apply, &["Title"])]).await[0]);
    scene.clock.advance_by(LATER);
    scene.hide("Contact.Title");
    assert!(matches!(scene.only().await.result, Err(Error::Drifted { .. })));
    assert!(!scene.has_column("LastName"));
}
