//! Staged import: build, test, stage, then import; as a person does it on the command line.

use emulator::Effect;
use serde_json::Value;

use crate::org::{Acme, end_of, ended, rows};

const QUERY: &str = "GET /services/data/vXX.X/query";

async fn org() -> Acme {
    let org = Acme::start().await;
    org.connect().await;
    org
}

/// Rows of a table of the import; 0 when there is no such table.
fn count(org: &Acme, table: &str) -> i64 {
    let database = org.data().join("acme.db");
    let has = format!("SELECT COUNT(*) FROM sqlite_schema WHERE name = '{table}'");
    if !database.exists() || rows(&database, &has) == 0 {
        return 0;
    }
    rows(&database, &format!("SELECT COUNT(*) FROM {table}"))
}

async fn json(org: &Acme, line: &str) -> Value {
    let ended = org.run(&format!("{line} --json")).await;
    assert_eq!(ended.code, 0, "{line}: {ended:?}");
    ended.json()
}

#[tokio::test]
async fn building_creates_the_table_and_shows_it_reads_no_record_and_no_sync_runs_it() {
    let org = org().await;
    let before = org.asked(QUERY);
    let built = json(&org, "stage build acme Contact --fields Id,LastName,CreatedDate").await["tables"][0].clone();
    assert_eq!((&built["table"], &built["key"]), (&"Contact".into(), &"Id".into()), "{built}");
    let columns: Vec<&Value> = built["columns"].as_array().unwrap().iter().map(|column| &column["name"]).collect();
    assert!(columns.contains(&&"LastName".into()) && columns.contains(&&"SystemModstamp".into()), "{built}");
    assert_eq!(rows(&org.data().join("acme.db"), "SELECT COUNT(*) FROM Contact"), 0);
    assert_eq!(org.asked(QUERY), before);
    let status = json(&org, "status").await["connections"][0]["streams"][0].clone();
    assert_eq!(status["stage"]["is_draft"], true, "{status}");
    let synced = org.run("sync acme").await;
    assert!(synced.code == 3 && synced.err.contains("orgtide stage import acme Contact"), "{synced:?}");
}

#[tokio::test]
async fn a_test_writes_the_first_ten_records_and_shows_them() {
    let org = org().await;
    assert_eq!(org.run("stage build acme Contact --fields Id,LastName").await.code, 0);
    let tested = json(&org, "stage test acme Contact").await["streams"][0].clone();
    let written = tested["rows"].as_array().unwrap();
    assert_eq!((written.len(), count(&org, "Contact")), (10, 10), "{tested}");
    assert!(written[0]["LastName"].is_string() && written[0].get("Email").is_none(), "the mapping is the built one");
    assert_eq!(tested["rejected"], Value::Array(Vec::new()));
    assert_eq!(json(&org, "runs acme").await["runs"][0]["purpose"], "test");
    assert_eq!(org.run("import acme Contact").await.code, 0);
    assert!(count(&org, "Contact") > 10);
    let refused = org.run("stage test acme Contact").await;
    assert!(refused.code == 3 && refused.err.contains("imported already"), "a table in use is not tested: {refused:?}");
}

#[tokio::test]
async fn a_stage_keeps_every_record_and_writes_nothing_until_it_is_imported_in_part_or_whole() {
    let org = org().await;
    let staged = json(&org, "stage run acme Contact --fields Id,LastName").await["streams"][0].clone();
    assert_eq!((&staged["staged"]["ready"], &staged["staged"]["rejected"]), (&400.into(), &0.into()), "{staged}");
    assert_eq!(count(&org, "Contact"), 0);
    let listed = json(&org, "stage list acme Contact --ready --limit 3").await;
    let ids: Vec<String> = listed["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["record_id"].as_str().unwrap().into())
        .collect();
    assert_eq!(ids.len(), 3, "{listed}");
    let shown = json(&org, &format!("stage show acme Contact {}", ids[0])).await;
    assert!(shown["fields"]["LastName"].is_string(), "{shown}");
    assert_eq!(json(&org, &format!("stage select acme Contact {} {}", ids[0], ids[1])).await["changed"], 2);
    assert_eq!(json(&org, &format!("stage select acme Contact {} --clear", ids[1])).await["changed"], 1);
    let written = json(&org, "stage import acme Contact --selected").await["streams"][0].clone();
    assert_eq!((&written["fine"], count(&org, "Contact")), (&1.into(), 1), "{written}");
    let after = json(&org, "stage list acme Contact --written").await;
    assert_eq!(
        (&after["written"], &after["ready"], &after["selected"]),
        (&1.into(), &399.into(), &0.into()),
        "{after}"
    );
    assert_eq!(org.run("sync acme Contact").await.code, 3, "a part is not the whole");
    assert_eq!(org.run("stage import acme Contact").await.code, 0);
    assert_eq!(count(&org, "Contact"), 400);
    assert_eq!(rows(&org.data().join("control.sqlite"), "SELECT COUNT(*) FROM staged_rows"), 0);
    assert_eq!(org.run("sync acme Contact").await.code, 0);
    assert_eq!(org.run("stage list acme Contact").await.code, 3, "the stage went with the import");
}

#[tokio::test]
async fn a_record_that_is_gone_since_it_was_staged_is_said_to_be_and_not_written() {
    let org = org().await;
    assert_eq!(org.run("stage run acme Contact").await.code, 0);
    let listed = json(&org, "stage list acme Contact --limit 1").await;
    let id = listed["records"][0]["record_id"].as_str().unwrap().to_owned();
    org.emulator.control().delete(&id).unwrap();
    let written = json(&org, &format!("stage import acme Contact {id}")).await["streams"][0].clone();
    assert_eq!((&written["fine"], &written["gone"]), (&0.into(), &1.into()), "{written}");
    assert_eq!(count(&org, "Contact"), 0);
}

#[tokio::test]
async fn a_stage_that_was_killed_goes_on_and_nothing_else_runs_the_stream_meanwhile() {
    let org = org().await;
    org.fault(QUERY, Effect::Hang);
    let mut killed = org.spawn("stage run acme Contact --read rest");
    org.faults_struck(end_of(&mut killed)).await;
    let second = org.run("stage import acme Contact --json").await;
    assert_eq!(second.code, 6, "{second:?}");
    let error = second.json()["streams"][0]["error"]["message"].as_str().unwrap().to_owned();
    assert!(error.contains("`orgtide stage` (process") && error.contains("since"), "{error}");
    killed.kill().await.unwrap();
    let again = json(&org, "stage run acme Contact").await;
    assert_eq!(again["streams"][0]["staged"]["ready"], 400, "{again}");
    let runs = json(&org, "runs acme").await["runs"].clone();
    assert_eq!((&runs[0]["purpose"], &runs[1]["state"]), (&"stage".into(), &"abandoned".into()), "{runs}");
}

#[tokio::test]
async fn ctrl_c_stops_a_stage_at_a_place_from_which_it_goes_on() {
    let org = org().await;
    org.fault(QUERY, Effect::Hang);
    let mut staging = org.spawn("stage run acme Contact --read rest --json");
    org.faults_struck(end_of(&mut staging)).await;
    let pid = staging.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let stopped = ended(staging).await;
    assert_eq!((stopped.code, &stopped.json()["streams"][0]["outcome"]), (130, &"stopped".into()), "{stopped:?}");
    assert_eq!(org.run("stage run acme Contact").await.code, 0);
}

#[tokio::test]
async fn staging_again_begins_anew_and_takes_in_what_has_changed() {
    let org = org().await;
    assert_eq!(org.run("stage run acme Contact --fields Id,LastName --limit 5").await.code, 0);
    assert_eq!(json(&org, "stage list acme Contact").await["ready"], 5);
    let file = org.directory.path().join("staged.jsonl");
    assert_eq!(org.run(&format!("stage export acme Contact --ready --to {}", file.display())).await.code, 0);
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 5);
    assert_eq!(org.run("stage run acme Contact --fields Id,LastName").await.code, 0);
    assert_eq!(json(&org, "stage list acme Contact").await["ready"], 400);
}

#[tokio::test]
async fn disconnecting_takes_the_stage_along() {
    let org = org().await;
    assert_eq!(org.run("stage run acme Contact --limit 3").await.code, 0);
    assert_eq!(org.run("disconnect acme --delete-data --yes").await.code, 0);
    let control = org.data().join("control.sqlite");
    for table in ["stages", "staged_rows", "streams", "runs"] {
        assert_eq!(rows(&control, &format!("SELECT COUNT(*) FROM {table}")), 0, "{table}");
    }
}
