//! Mappings that cannot be, and destinations that go away, are altered or belong to others: each is said clearly, and
//! nothing is half done.

use emulator::Effect;
use rusqlite::Connection;

use crate::{
    org::{Acme, Ended, end_of, ended, rows},
    place::Schema,
};

const QUERY: &str = "GET /services/data/vXX.X/query";

async fn org() -> Acme {
    let org = Acme::start().await;
    org.connect().await;
    org
}

/// Imports by a mapping of Contact with this column.
async fn by_mapping(org: &Acme, column: &str) -> Ended {
    let file = org.directory.path().join("mapping.toml");
    std::fs::write(&file, format!("object = \"Contact\"\n[[columns]]\nfield = \"LastName\"\n[[columns]]\n{column}\n"))
        .unwrap();
    org.run(&format!("import acme --mapping {}", file.display())).await
}

fn contacts(org: &Acme, condition: &str) -> i64 {
    rows(&org.data().join("acme.db"), &format!("SELECT COUNT(*) FROM Contact WHERE {condition}"))
}

fn by_hand(org: &Acme, sql: &str) {
    Connection::open(org.data().join("acme.db")).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn a_mapping_that_the_org_cannot_serve_is_refused_with_a_suggestion_before_anything_is_made() {
    let org = org().await;
    for (column, said) in [
        ("field = \"Titel\"", "Did you mean \"Title\"?"),
        ("field = \"CreatedDate\"\nas = \"boolean\"", "columns[1]"),
        ("field = \"Acount.Name\"", "Did you mean"),
    ] {
        let refused = by_mapping(&org, column).await;
        assert_eq!(refused.code, 4, "{refused:?}");
        assert!(refused.err.contains(said) && refused.err.contains("orgtide objects describe"), "{refused:?}");
    }
    assert!(!org.data().join("acme.db").exists());
    let status = org.run("status --json").await.json();
    assert_eq!(status["connections"][0]["streams"].as_array().unwrap().len(), 0, "{status}");
}

#[tokio::test]
async fn a_value_that_its_column_cannot_hold_leaves_a_gap_and_is_kept_with_the_run() {
    let org = org().await;
    let control = org.emulator.control();
    let id =
        control.insert("Contact", serde_json::json!({"LastName": "Odd", "Title": "99999999999999999999"})).unwrap();
    let imported = by_mapping(&org, "field = \"Title\"\nas = \"integer\"").await;
    assert!(imported.code == 0 && imported.out.contains("fitted no type"), "{imported:?}");
    assert_eq!(contacts(&org, &format!("Id = '{id}' AND Title IS NULL AND LastName = 'Odd'")), 1);
    let run = org.run("runs acme --json").await.json()["runs"][0]["id"].as_str().unwrap().to_owned();
    let values = org.run(&format!("runs show {run} --json")).await.json()["values"].to_string();
    assert!(values.contains("99999999999999999999"), "{values}");
}

#[tokio::test]
async fn a_folder_that_vanishes_while_rows_are_on_their_way_fails_the_run_and_the_next_one_imports_everything() {
    let org = org().await;
    let folder = org.directory.path().join("rows");
    std::fs::create_dir(&folder).unwrap();
    let line = format!("import acme Contact --read rest --to sqlite:{}", folder.join("rows.db").display());
    org.fault(QUERY, Effect::Hang);
    let mut importing = org.spawn(&line);
    org.faults_struck(end_of(&mut importing)).await;
    std::fs::remove_dir_all(&folder).unwrap();
    org.emulator.control().release();
    let failed = ended(importing).await;
    assert!(failed.code != 0 && failed.err.contains("moved, replaced or removed"), "{failed:?}");
    let again = org.run(&line).await;
    assert!(again.code != 0 && again.err.contains("create it first"), "{again:?}");
    std::fs::create_dir(&folder).unwrap();
    assert_eq!(org.run("sync acme").await.code, 0);
    assert_eq!(rows(&folder.join("rows.db"), "SELECT COUNT(*) FROM Contact"), 400);
}

#[tokio::test]
async fn a_connection_that_the_database_ends_fails_the_run_and_the_next_one_goes_on() {
    let Some(Schema { name, to, client, .. }) = &Schema::start().await else { return };
    let org = org().await;
    let line = format!("import acme Contact --read rest --to {to}&application_name={name}");
    org.fault(QUERY, Effect::Hang);
    let mut importing = org.spawn(&line);
    org.faults_struck(end_of(&mut importing)).await;
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}'");
    assert_eq!(client.query(&end, &[]).await.unwrap().len(), 1);
    org.emulator.control().release();
    let failed = ended(importing).await;
    assert!(failed.code != 0 && failed.err.contains("cannot be reached"), "{failed:?}");
    let count = "SELECT count(*) FROM \"Contact\"";
    assert_eq!(client.query_one(count, &[]).await.unwrap().get::<_, i64>(0), 0);
    let again = org.run(&line).await;
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(client.query_one(count, &[]).await.unwrap().get::<_, i64>(0), 400);
}

#[tokio::test]
async fn a_table_that_somebody_has_altered_is_repaired_or_left_as_it_is_with_what_to_do() {
    let org = org().await;
    assert_eq!(org.run("import acme Contact --fields Id,LastName,FirstName").await.code, 0);
    by_hand(&org, "ALTER TABLE Contact DROP COLUMN FirstName");
    assert_eq!(org.run("sync acme").await.code, 0);
    let named = contacts(&org, "FirstName IS NOT NULL");
    assert_eq!(named, 400, "the column is there again, and filled");

    by_hand(&org, "ALTER TABLE Contact ADD COLUMN mine TEXT NOT NULL DEFAULT 'x'");
    by_hand(&org, "CREATE UNIQUE INDEX mine ON Contact (LastName) WHERE LastName = 'Twice'");
    let control = org.emulator.control();
    for _ in 0..2 {
        control.insert("Contact", serde_json::json!({"LastName": "Twice"})).unwrap();
    }
    let refused = org.run("sync acme").await;
    assert!(refused.code == 5 || refused.code == 3, "{refused:?}");
    assert!(refused.err.contains("Contact") && refused.err.contains("constraint"), "{refused:?}");
    assert_eq!(contacts(&org, "LastName = 'Twice'"), 0, "all of a batch or nothing");
    by_hand(&org, "DROP INDEX mine");
    assert_eq!(org.run("sync acme").await.code, 0);
    assert_eq!((contacts(&org, "LastName = 'Twice'"), contacts(&org, "mine = 'x'")), (2, 402));

    by_hand(&org, "DROP TABLE Contact");
    assert_eq!(org.run("sync acme").await.code, 0);
    assert_eq!(contacts(&org, "_deleted = 0"), 402);
}

#[tokio::test]
async fn a_second_installation_is_kept_off_the_rows_of_the_first_one() {
    let org = org().await;
    assert_eq!(org.run("import acme Contact").await.code, 0);
    let other = org.directory.path().join("other").display().to_string();
    let elsewhere = [("ORGTIDE_DATA_DIR", other.as_str())];
    let sign_in = format!("--org {} --client-id {}", crate::org::ORG, crate::org::CLIENT_ID);
    for name in ["acme", "acme-too"] {
        let connected = org.run_with(&format!("connect {name} {sign_in}"), &elsewhere).await;
        assert_eq!(connected.code, 0, "{connected:?}");
    }
    let to = format!("--to sqlite:{}", org.data().join("acme.db").display());
    let refused = org.run_with(&format!("import acme Contact {to}"), &elsewhere).await;
    assert_ne!(refused.code, 0, "{refused:?}");
    for said in ["another installation", "another name", "_orgtide_checkpoints"] {
        assert!(refused.err.contains(said), "{said}: {refused:?}");
    }
    assert_eq!((contacts(&org, "1"), org.run("sync acme").await.code), (400, 0));
    let beside = org.run_with(&format!("import acme-too Contact {to}"), &elsewhere).await;
    assert_eq!(beside.code, 0, "{beside:?}");
    assert_eq!((contacts(&org, "_connection = 'acme'"), contacts(&org, "_connection = 'acme-too'")), (400, 400));

    by_hand(&org, "DELETE FROM _orgtide_checkpoints WHERE connection = 'acme'");
    assert_eq!(org.run_with(&format!("import acme Contact {to}"), &elsewhere).await.code, 0);
    let former = org.run("sync acme").await;
    assert!(former.code != 0 && former.err.contains("another installation"), "{former:?}");
}
