//! Copying settings from a sandbox to production and back: what is shown, what is refused, and what is never copied.

use emulator::schema::{FieldSpec, FieldType};
use serde_json::{Value, json};

use crate::{
    org::{Acme, CLIENT_ID, Ended, rows},
    sandboxes::{UAT, sandbox, scenario},
};

/// Acme and its sandbox are connected, and the sandbox has two streams.
async fn configured() -> Acme {
    let acme = Acme::of(scenario()).await;
    acme.connect().await;
    let connected = acme.run(&format!("connect acme-uat --org {UAT} --client-id {CLIENT_ID}")).await;
    assert_eq!(connected.code, 0, "{connected:?}");
    import(&acme, "object = \"Account\"\n[[columns]]\nfield = \"Name\"\n").await;
    import(&acme, "object = \"Contact\"\n[[columns]]\nfield = \"LastName\"\n[[columns]]\nfield = \"Email\"\n").await;
    assert_eq!(acme.run("schedule acme-uat Account hourly").await.code, 0);
    acme
}

async fn import(acme: &Acme, mapping: &str) {
    let imported = acme.run(&format!("import acme-uat --mapping {} --read rest", file(acme, mapping))).await;
    assert_eq!(imported.code, 0, "{imported:?}");
}

fn file(acme: &Acme, mapping: &str) -> String {
    let file = acme.directory.path().join("mapping.toml");
    std::fs::write(&file, mapping).unwrap();
    file.display().to_string()
}

async fn streams(acme: &Acme, connection: &str) -> Vec<Value> {
    let status = acme.run("status --json").await.json();
    let all = status["connections"].as_array().unwrap().clone();
    let one = all.into_iter().find(|one| one["name"] == connection).unwrap();
    one["streams"].as_array().unwrap().clone()
}

fn changes(ended: &Ended) -> Vec<(String, String)> {
    let document = ended.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = document["streams"].as_array().unwrap();
    all.iter().map(|stream| (text(&stream["object"]), text(&stream["change"]))).collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(object, change)| ((*object).to_owned(), (*change).to_owned())).collect()
}

fn error(ended: &Ended) -> Value {
    ended.json()["error"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_mappings_read_modes_and_schedules_are_copied_and_no_data_with_them() {
    let acme = configured().await;
    let planned = acme.run("promote acme-uat --to acme --plan --json").await;
    assert_eq!(
        (planned.code, changes(&planned)),
        (0, pairs(&[("Account", "added"), ("Contact", "added")])),
        "{planned:?}"
    );
    assert!(streams(&acme, "acme").await.is_empty(), "a plan saves nothing");

    let promoted = acme.run("promote acme-uat --to acme --json").await;
    assert_eq!((promoted.code, &promoted.json()["is_saved"]), (0, &json!(true)), "{promoted:?}");
    let there = streams(&acme, "acme").await;
    let schedules: Vec<&str> = there.iter().map(|one| one["schedule"]["schedule"].as_str().unwrap()).collect();
    assert_eq!(schedules, ["hourly", "none"]);
    let own = acme.data().join("acme.db");
    assert!(there.iter().all(|one| one["destination"].as_str().unwrap().contains(own.to_str().unwrap())), "{there:?}");
    assert!(there.iter().all(|one| one["fresh_as_of"].is_null() && one["last_run"].is_null()), "{there:?}");
    assert!(!own.exists(), "no row is copied");
    let shown = acme.run("map show acme Contact").await;
    assert!(shown.out.contains("LastName") && shown.out.contains("Email"), "{shown:?}");

    assert_eq!(acme.run("sync acme").await.code, 0);
    assert_eq!(rows(&own, "SELECT COUNT(*) FROM Account"), 120);
    let again = acme.run("promote acme-uat --to acme --json").await;
    assert_eq!(changes(&again), pairs(&[("Account", "same"), ("Contact", "same")]));
    let history = acme.run("map history acme Account").await;
    assert!(history.out.contains("promoted from acme-uat"), "{history:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_and_differs_is_changed_only_with_agreement() {
    let acme = configured().await;
    assert_eq!(acme.run("promote acme-uat --to acme").await.code, 0);
    let other = "object = \"Contact\"\n[[columns]]\nfield = \"LastName\"\n[[columns]]\nfield = \"Phone\"\n";
    let set = acme.run(&format!("map set acme-uat --file {}", file(&acme, other))).await;
    assert_eq!(set.code, 0, "{set:?}");
    assert_eq!(acme.run("schedule acme-uat Account daily at 03:00").await.code, 0);

    let planned = acme.run("promote acme-uat --to acme --plan").await;
    for said in [
        "~ Account is changed",
        "~ Contact is changed",
        "column Phone is added",
        "column Email is not filled",
        "instead of hourly",
    ] {
        assert!(planned.out.contains(said), "{said}: {planned:?}");
    }
    let refused = acme.run("promote acme-uat --to acme --json").await;
    assert_eq!((refused.code, error(&refused)["code"].as_str()), (3, Some("would_change")), "{refused:?}");
    assert_eq!(streams(&acme, "acme").await[0]["schedule"]["schedule"], "hourly", "nothing was changed");

    let promoted = acme.run("promote acme-uat Contact --to acme --replace --json").await;
    assert_eq!((promoted.code, changes(&promoted)), (0, pairs(&[("Contact", "changed")])), "{promoted:?}");
    assert!(acme.run("map show acme Contact").await.out.contains("Phone"));
    assert_eq!(streams(&acme, "acme").await[0]["schedule"]["schedule"], "hourly", "what was not named stays");
    let back = acme.run("promote acme Account --to acme-uat --replace --json").await;
    assert_eq!(changes(&back), pairs(&[("Account", "changed")]), "either direction: {back:?}");
    assert_eq!(streams(&acme, "acme-uat").await[0]["schedule"]["schedule"], "hourly");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_production_lacks_or_hides_is_named_and_nothing_is_saved_unless_it_is_left_out() {
    let acme = configured().await;
    let score = FieldSpec::of("Tier__c", FieldType::String);
    sandbox(&acme).declare_field("Contact", &score).unwrap();
    let mapping = "object = \"Contact\"\n[[columns]]\nfield = \"LastName\"\n[[columns]]\nfield = \"Tier__c\"\n";
    let set = acme.run(&format!("map set acme-uat --file {}", file(&acme, mapping))).await;
    assert_eq!(set.code, 0, "{set:?}");

    let planned = acme.run("promote acme-uat --to acme --plan").await;
    assert_eq!(planned.code, 7, "{planned:?}");
    assert!(planned.out.contains("! Contact does not fit") && planned.out.contains("Tier__c"), "{planned:?}");
    let refused = acme.run("promote acme-uat --to acme --json").await;
    assert_eq!((refused.code, error(&refused)["code"].as_str()), (4, Some("mapping")), "{refused:?}");
    assert!(error(&refused)["message"].as_str().unwrap().contains("Tier__c"), "{refused:?}");
    assert!(streams(&acme, "acme").await.is_empty());

    let partly = acme.run("promote acme-uat --to acme --skip-unfit --json").await;
    assert_eq!(
        (partly.code, changes(&partly)),
        (7, pairs(&[("Account", "added"), ("Contact", "unfit")])),
        "{partly:?}"
    );
    assert_eq!(streams(&acme, "acme").await.len(), 1);
    acme.emulator.control().declare_field("Contact", &score).unwrap();
    let deployed = acme.run("promote acme-uat --to acme --json").await;
    assert_eq!(
        (deployed.code, changes(&deployed)),
        (0, pairs(&[("Account", "same"), ("Contact", "added")])),
        "{deployed:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_destination_takes_both_and_their_rows_stay_apart() {
    let acme = configured().await;
    let shared = acme.directory.path().join("shared.db");
    let line = format!("promote acme-uat --to acme --destination sqlite:{}", shared.display());
    assert_eq!(acme.run(&line).await.code, 0);
    let back = format!("import acme-uat Account --to sqlite:{}", shared.display());
    assert_eq!(acme.run(&back).await.code, 0);
    assert_eq!(acme.run("sync acme").await.code, 0);
    for connection in ["acme", "acme-uat"] {
        let sql = format!("SELECT COUNT(*) FROM Account WHERE _connection = '{connection}'");
        assert_eq!(rows(&shared, &sql), 120, "{connection}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_staged_and_not_imported_is_left_out_and_a_name_is_not_promoted_to_itself() {
    let acme = configured().await;
    assert_eq!(acme.run("stage run acme-uat Opportunity").await.code, 0);
    let planned = acme.run("promote acme-uat Opportunity --to acme --json").await;
    assert_eq!(changes(&planned), pairs(&[("Opportunity", "left_out")]), "{planned:?}");
    assert!(streams(&acme, "acme").await.is_empty());
    let refused = acme.run("promote acme --to acme --json").await;
    assert_eq!(refused.code, 3, "{refused:?}");
}
