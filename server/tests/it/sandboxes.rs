//! A sandbox beside its production org: what it is called, that it was refreshed, and that the rows of the two, or of the
//! org that it was before, never meet.

mod mixing;

use emulator::{Control, Scenario};
use orgtide::store::connections::NewConnection;
use salesforce::{
    OAuthError,
    oauth::{Flow, TokenSource},
};
use serde_json::{Value, json};

use crate::{
    database::on_both_databases,
    keeper::scene::{STEADY, Scene, refreshing},
    org::{Acme, CLIENT_ID, Ended, ORG, TOKEN, rows, until},
};

pub(crate) const UAT: &str = "acme--uat.sandbox.my.salesforce.com";
const PROBE: &str = "GET /.well-known/auth-configuration";

/// Acme with its sandbox `uat`.
pub(crate) fn scenario() -> Scenario {
    let sandbox = "\n[[sandboxes]]\nname = \"uat\"\nid = \"00DgL000000AUAT\"\n";
    Scenario::from_toml(&(include_str!("../../../emulator/scenarios/acme.toml").to_owned() + sandbox)).unwrap()
}

pub(crate) fn sandbox(acme: &Acme) -> Control {
    acme.emulator.control().org("acme--uat").unwrap()
}

fn refresh(acme: &Acme) -> String {
    sandbox(acme).refresh_sandbox(None).unwrap().org_id()
}

/// Both are connected, and write into one file.
async fn both() -> Acme {
    let acme = Acme::of(scenario()).await;
    acme.connect().await;
    assert_eq!(connect_uat(&acme, "").await.code, 0);
    acme
}

async fn connect_uat(acme: &Acme, more: &str) -> Ended {
    acme.run(&format!("connect acme-uat --org {UAT} --client-id {CLIENT_ID} --json{more}")).await
}

async fn import(acme: &Acme, connection: &str, objects: &str) {
    let file = acme.directory.path().join("rows.db").display().to_string();
    let imported = acme.run(&format!("import {connection} {objects} --to sqlite:{file}")).await;
    assert_eq!(imported.code, 0, "{imported:?}");
}

fn count(acme: &Acme, sql: &str) -> i64 {
    rows(&acme.directory.path().join("rows.db"), &format!("SELECT COUNT(*) FROM {sql}"))
}

async fn status(acme: &Acme, connection: &str) -> Value {
    let status = acme.run("status --json").await.json();
    let all = status["connections"].as_array().unwrap().clone();
    all.into_iter().find(|one| one["name"] == connection).unwrap()
}

fn code(ended: &Ended) -> String {
    ended.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kind_of_org_is_connected_is_found_out_kept_and_shown() {
    let acme = both().await;
    for (connection, kind) in
        [("acme", json!({"kind": "production"})), ("acme-uat", json!({"kind": "sandbox", "name": "uat"}))]
    {
        assert_eq!(status(&acme, connection).await["org_kind"], kind);
    }
    let shown = acme.run("status").await.out;
    assert!(shown.contains("production, as") && shown.contains("sandbox (uat), as"), "{shown}");
    let checked = acme.run("check acme-uat --json").await.json();
    assert_eq!(checked["organization"]["is_sandbox"], true, "{checked}");
    assert!(checked["findings"].to_string().contains("by its address a sandbox (uat)"), "{checked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_org_that_calls_itself_another_kind_than_its_address_says_is_told_of() {
    let acme = both().await;
    sandbox(&acme).write(|database, _| {
        let id = emulator::ids::RecordId::parse(&sandbox(&acme).org_id()).unwrap();
        database.store_raw(id, "IsSandbox", emulator::value::Value::Bool(false)).unwrap();
    });
    let checked = acme.run("check acme-uat --json").await.json();
    let findings = checked["findings"].as_array().unwrap();
    let unclear = findings.iter().find(|finding| finding["code"] == "org/kind-unclear").unwrap();
    assert!(unclear["seen"].as_str().unwrap().contains("calls itself a production org"), "{unclear}");
    let status = status(&acme, "acme-uat").await;
    assert_eq!(status["org_kind"]["kind"], "sandbox", "the address is believed");
    assert!(status["org_kind_unclear"].is_string(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refreshed_sandbox_is_noticed_asked_about_and_replaced_with_everything_but_its_rows_kept() {
    let acme = both().await;
    import(&acme, "acme", "Account").await;
    import(&acme, "acme-uat", "Account Contact").await;
    assert_eq!(acme.run("schedule acme-uat Account hourly").await.code, 0);
    sandbox(&acme).insert("Account", json!({"Name": "Made in the former org"})).unwrap();
    assert_eq!(acme.run("sync acme-uat").await.code, 0);
    let former = count(&acme, "Account WHERE _connection = 'acme-uat'");
    let org = refresh(&acme);

    let noticed = acme.run("sync acme-uat --json").await;
    assert!(noticed.code != 0 && noticed.out.contains(&org) && noticed.out.contains("refreshed"), "{noticed:?}");
    let asked = acme.asked(TOKEN);
    for command in ["sync acme-uat", "import acme-uat Account", "verify acme-uat", "connect acme-uat"] {
        let line = if command.starts_with("connect") {
            format!("{command} --client-id {CLIENT_ID} --json")
        } else {
            format!("{command} --json")
        };
        let refused = acme.run(&line).await;
        assert_eq!((refused.code, code(&refused).as_str()), (3, "sandbox_refreshed"), "{refused:?}");
        assert!(refused.out.contains("--refreshed") && refused.out.contains("another name"), "{refused:?}");
    }
    assert_eq!(acme.asked(TOKEN), asked + 1, "only the new sign-in asks for a token");
    let state = status(&acme, "acme-uat").await;
    assert_eq!(
        (&state["state"], &state["org_id"]),
        (&json!("sandbox_refreshed"), &json!("00DgL000000AUATUA4")),
        "{state}"
    );
    assert!(acme.run("status").await.out.contains("orgtide connect acme-uat --refreshed"));
    assert_eq!(count(&acme, "Account WHERE _connection = 'acme-uat'"), former, "nothing is written meanwhile");

    let replaced = connect_uat(&acme, " --refreshed").await;
    assert_eq!((replaced.code, replaced.json()["org_id"].as_str()), (0, Some(org.as_str())), "{replaced:?}");
    let removed: Vec<i64> =
        replaced.json()["removed"].as_array().unwrap().iter().map(|one| one["rows"].as_i64().unwrap()).collect();
    assert_eq!(removed[0], former, "{replaced:?}");
    assert_eq!(count(&acme, "Account WHERE _connection = 'acme-uat'"), 0);
    let state = status(&acme, "acme-uat").await;
    let schedules: Vec<&str> =
        state["streams"].as_array().unwrap().iter().map(|one| one["schedule"]["schedule"].as_str().unwrap()).collect();
    assert_eq!((&state["state"], schedules), (&json!("connected"), vec!["hourly", "none"]), "{state}");
    assert!(state["streams"][0]["schedule"]["is_wanted"].as_bool().unwrap(), "{state}");

    assert_eq!(acme.run("sync acme-uat").await.code, 0);
    let there = i64::try_from(sandbox(&acme).records("Account").len()).unwrap();
    assert_eq!(count(&acme, "Account WHERE _connection = 'acme-uat' AND _deleted = 0"), there);
    assert_eq!(count(&acme, "Account WHERE Name = 'Made in the former org'"), 0);
    assert_eq!(count(&acme, "Account WHERE _connection = 'acme'"), 120, "production's rows are as they were");
    assert_eq!(acme.run("check acme-uat").await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_notices_a_refresh_by_the_host_alone() {
    let acme = both().await;
    import(&acme, "acme-uat", "Account").await;
    let org = refresh(&acme);
    sandbox(&acme).change_setup(|setup| setup.apps.clear()).unwrap();
    let checked = acme.run("check acme-uat --json").await;
    assert!(checked.out.contains("org/sandbox-refreshed") && checked.out.contains(&org), "{checked:?}");
    assert_eq!(status(&acme, "acme-uat").await["state"], "sandbox_refreshed");
    let refused = acme.run("sync acme-uat --json").await;
    assert_eq!(code(&refused), "sandbox_refreshed", "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_former_rows_may_stay_and_the_new_org_be_another_connection() {
    let acme = both().await;
    import(&acme, "acme-uat", "Account").await;
    let former = count(&acme, "Account");
    refresh(&acme);
    assert_ne!(acme.run("sync acme-uat").await.code, 0);
    let second = acme.run(&format!("connect acme-uat-2 --org {UAT} --client-id {CLIENT_ID}")).await;
    assert_eq!(second.code, 0, "{second:?}");
    import(&acme, "acme-uat-2", "Account").await;
    assert_eq!(count(&acme, "Account WHERE _connection = 'acme-uat'"), former);
    assert_eq!(count(&acme, "Account"), 2 * former);
    let ended = acme.run("disconnect acme-uat --delete-data --yes --json").await;
    assert_eq!(ended.json()["disconnected"]["removed"][0]["rows"], former, "{ended:?}");
    assert_eq!(count(&acme, "Account"), former);
}

#[tokio::test(flavor = "multi_thread")]
async fn production_never_becomes_another_org_whatever_is_said() {
    let acme = both().await;
    import(&acme, "acme", "Account").await;
    import(&acme, "acme-uat", "Account").await;
    for (connection, org) in [("acme", UAT), ("acme-uat", ORG)] {
        let line = format!("connect {connection} --org {org} --client-id {CLIENT_ID} --refreshed --json");
        let refused = acme.run(&line).await;
        assert_eq!((refused.code, code(&refused).as_str()), (3, "other_org"), "{refused:?}");
    }
    assert_eq!(count(&acme, "Account"), 240);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_two_tables_the_replacement_asks_again_and_goes_on() {
    let acme = both().await;
    let second = acme.directory.path().join("second.db");
    import(&acme, "acme-uat", "Account").await;
    let line = format!("import acme-uat Contact --to sqlite:{}", second.display());
    assert_eq!(acme.run(&line).await.code, 0);
    let contacts = rows(&second, "SELECT COUNT(*) FROM Contact");
    let org = refresh(&acme);

    // Somebody else writes to the second file for as long as it takes.
    let lock = rusqlite::Connection::open(&second).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut program = acme.spawn(&format!("connect acme-uat --org {UAT} --client-id {CLIENT_ID} --refreshed"));
    let file = acme.directory.path().join("rows.db");
    let tables = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'Account'";
    until("the first table to be handed over", || rows(&file, tables) == 0).await;
    program.kill().await.unwrap();
    lock.execute_batch("ROLLBACK").unwrap();

    let state = status(&acme, "acme-uat").await;
    assert_eq!(
        (&state["state"], &state["org_id"]),
        (&json!("sandbox_refreshed"), &json!("00DgL000000AUATUA4")),
        "{state}"
    );
    let refused = acme.run("sync acme-uat --json").await;
    assert_eq!((refused.code, code(&refused).as_str()), (3, "sandbox_refreshed"), "{refused:?}");
    assert_eq!(
        rows(&second, "SELECT COUNT(*) FROM Contact"),
        contacts,
        "what was not removed is the former org's, whole"
    );

    let replaced = connect_uat(&acme, " --refreshed").await;
    assert_eq!((replaced.code, replaced.json()["org_id"].as_str()), (0, Some(org.as_str())), "{replaced:?}");
    assert_eq!(acme.run("sync acme-uat").await.code, 0);
    let there = |object: &str| i64::try_from(sandbox(&acme).records(object).len()).unwrap();
    assert_eq!(count(&acme, "Account"), there("Account"));
    assert_eq!(rows(&second, "SELECT COUNT(*) FROM Contact"), there("Contact"));
}

on_both_databases! {
    async fn a_dead_refresh_token_of_a_refreshed_sandbox_is_told_apart_by_its_host(fixture: Fixture) {
        let host = || serde_json::from_value(UAT.into()).unwrap();
        let new = NewConnection {
            org: host(),
            instance: host(),
            org_id: "00DgL000000FORMUA4".into(),
            flow: Flow::WebServer,
            ..refreshing(STEADY)
        };
        let scene = Scene::beside(fixture, scenario(), new).await;
        let refused = scene.keeper().await.session().await.unwrap_err();
        assert!(matches!(&refused, OAuthError::SandboxRefreshed { found, .. } if found.starts_with("00DgL000000AUAT")), "{refused}");
        assert_eq!(scene.state().await.name(), "sandbox refreshed");
        let again = scene.keeper().await.session().await.unwrap_err();
        assert!(matches!(again, OAuthError::SandboxRefreshed { .. }), "{again}");
        assert_eq!((scene.org.asked(TOKEN), scene.org.asked(PROBE)), (1, 1), "nothing more is sent");
        assert!(!scene.has_open_intent().await);
        assert_eq!(scene.journal().await, ["sandbox-refreshed"]);
    }

    async fn a_refusal_by_a_sandbox_that_was_not_refreshed_stays_what_it_is(fixture: Fixture) {
        let host = || serde_json::from_value(UAT.into()).unwrap();
        let new = NewConnection { org: host(), instance: host(), org_id: "00DgL000000AUATUA4".into(), ..refreshing(STEADY) };
        let scene = Scene::beside(fixture, scenario(), new).await;
        let refused = scene.keeper().await.session().await.unwrap_err();
        assert!(matches!(refused, OAuthError::Refused(_)), "{refused}");
        assert_eq!(scene.state().await.name(), "needs reauthorization");
    }
}
