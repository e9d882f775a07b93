//! The records that runs leave, as a person asks for them.

use std::os::unix::fs::PermissionsExt;

use emulator::{Effect, value::Value};
use serde_json::json;

use crate::org::{Acme, end_of, rows};

const QUERY: &str = "GET /services/data/vXX.X/query";

async fn imported() -> Acme {
    let org = Acme::start().await;
    org.connect().await;
    assert_eq!(org.run("import acme Account").await.code, 0);
    org
}

#[tokio::test]
async fn every_run_leaves_a_record_of_what_was_asked_and_what_it_did() {
    let org = imported().await;
    assert_eq!(org.run("import acme Contact --read bulk").await.code, 0);
    assert_eq!(org.run("sync acme Account").await.code, 0);
    let listed = org.run("runs acme --json").await.json()["runs"].clone();
    let told: Vec<_> = listed.as_array().unwrap().iter().map(|run| (&run["object"], &run["purpose"])).collect();
    assert_eq!(
        told,
        [
            (&"Account".into(), &"sync".into()),
            (&"Contact".into(), &"import".into()),
            (&"Account".into(), &"import".into())
        ]
    );
    let import = &listed[1];
    assert_eq!((&import["state"], &import["read_by"]), (&"completed".into(), &"bulk".into()), "{import}");
    assert_eq!(import["rows"], rows(&org.data().join("acme.db"), "SELECT COUNT(*) FROM Contact"));
    assert!(import["holder"].as_str().unwrap().contains("orgtide import"), "{import}");
    assert!(import["window"]["from"].is_null() && import["window"]["until"].is_string(), "{import}");
    assert!(listed[0]["window"]["from"].is_string(), "a sync covers what has changed: {}", listed[0]);
    assert_eq!(import["mapping_version"], 1);

    let shown = org.run(&format!("runs show {}", import["id"].as_str().unwrap())).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    for told in ["Contact of acme → Contact", "Bulk API 2.0", "the beginning to", "rows written"] {
        assert!(shown.out.contains(told), "{told}: {}", shown.out);
    }
    let of_one = org.run("runs acme Contact --limit 1 --json").await.json();
    assert_eq!(of_one["runs"].as_array().unwrap().len(), 1);
    assert_eq!(org.run("runs show run_unknown").await.code, 3);
}

#[tokio::test]
async fn a_run_that_fails_leaves_its_reason_and_the_other_streams_go_on() {
    let org = Acme::start().await;
    org.connect().await;
    let file = org.directory.path().join("accounts.db");
    assert_eq!(org.run(&format!("import acme Account --to sqlite:{}", file.display())).await.code, 0);
    assert_eq!(org.run("import acme Contact").await.code, 0);
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let synced = org.run("sync acme --json").await;
    assert_eq!(synced.code, 7, "{synced:?}");
    let runs = org.run("runs acme --json").await.json()["runs"].clone();
    assert_eq!((&runs[0]["object"], &runs[0]["state"]), (&"Contact".into(), &"completed".into()), "{runs}");
    assert_eq!((&runs[1]["object"], &runs[1]["state"]), (&"Account".into(), &"failed".into()), "{runs}");
    assert_eq!(runs[1]["error_code"], "destination");
    assert!(runs[1]["error"].as_str().unwrap().contains("accounts.db"), "{runs}");
}

#[tokio::test]
async fn values_that_fitted_no_type_are_shown_with_their_run_until_they_expire() {
    let org = Acme::start().await;
    org.connect().await;
    let control = org.emulator.control();
    let id = control.insert("Contact", json!({"LastName": "Odd"})).unwrap();
    control.write(|database, _| database.store_raw(id, "Birthdate", Value::text("31.2.1999")).unwrap());
    assert_eq!(org.run("import acme Contact").await.code, 0);
    let run = org.run("runs acme --json").await.json()["runs"][0].clone();
    assert_eq!(run["rejected_values"], 1, "{run}");
    let line = format!("runs show {} --json", run["id"].as_str().unwrap());
    let values = org.run(&line).await.json()["values"].clone();
    assert_eq!((&values[0]["record_id"], &values[0]["raw"]), (&id.to_string().into(), &"31.2.1999".into()));
    let expired = [("ORGTIDE_RETENTION_REJECTED_DAYS", "0"), ("ORGTIDE_RETENTION_RUNS_DAYS", "0")];

    assert_eq!(org.run_with("sync acme", &expired).await.code, 0);
    assert_eq!(rows(&org.data().join("control.sqlite"), "SELECT COUNT(*) FROM rejected_values"), 0);
    assert_eq!(org.run("runs acme --json").await.json()["runs"].as_array().unwrap().len(), 1, "the last run stays");
}

#[tokio::test]
async fn an_export_is_for_its_owner_alone_and_overwrites_nothing() {
    let org = imported().await;
    let file = org.directory.path().join("rejected.csv");
    let line = format!("rejected export acme --to {}", file.display());
    let written = org.run(&line).await;
    assert_eq!(written.code, 0, "{written:?}");
    assert!(written.err.contains("personal data"), "{written:?}");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let again = org.run(&line).await;
    assert!(again.code == 3 && again.err.contains("there already"), "{again:?}");
    let elsewhere = org.run("rejected export acme --to rejected.txt").await;
    assert!(elsewhere.err.contains(".jsonl"), "{elsewhere:?}");
}

#[tokio::test]
async fn the_journal_of_a_killed_run_says_abandoned() {
    let org = imported().await;
    org.fault(QUERY, Effect::Hang);
    let mut killed = org.spawn("import acme Contact --read rest");
    org.faults_struck(end_of(&mut killed)).await;
    killed.kill().await.unwrap();
    assert_eq!(org.run("import acme Contact --read rest").await.code, 0);
    let runs = org.run("runs acme Contact --json").await.json()["runs"].clone();
    assert_eq!((&runs[0]["state"], &runs[1]["state"]), (&"completed".into(), &"abandoned".into()), "{runs}");
}
