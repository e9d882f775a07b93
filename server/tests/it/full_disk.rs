//! A destination without room: the run says so, nothing is half done, and the next one goes on when there is room.

use std::{process::Stdio, time::Duration};

use emulator::Scenario;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    org::{Acme, Ended, end},
    place::{Place, Schema},
};

const PAGE: usize = 25;
const CONTACTS: usize = 400;

/// An org of contacts with long descriptions: some 12 MB.
async fn of_long_texts() -> Acme {
    let mut scenario = Scenario::builtin("acme").unwrap();
    (scenario.pages.rows, scenario.pages.rows_with_long_text) = (PAGE, PAGE);
    scenario.rows.clear();
    let org = Acme::of(scenario).await;
    let description = "x".repeat(30_000);
    for number in 0..CONTACTS {
        let contact = json!({"LastName": format!("Long {number}"), "Description": description});
        org.emulator.control().insert("Contact", contact).unwrap();
    }
    // No record is so young that the window after an interrupted one reads it again.
    org.emulator.control().advance(Duration::from_secs(7200));
    org.connect().await;
    org
}

/// Runs a command line in a process whose files may not grow beyond a size, in blocks of 512 bytes.
async fn with_files_up_to(org: &Acme, blocks: u32, line: &str) -> Ended {
    let mut command = Command::new("sh");
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_orgtide")]).args(line.split_whitespace());
    command.env_clear().envs(org.environment()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    end(command).await
}

async fn last_run(org: &Acme) -> Value {
    org.run("runs acme --json").await.json()["runs"][0].clone()
}

/// The next run goes on where the failed one stopped: what is written is not read again.
async fn goes_on(org: &Acme, place: &Place) {
    let before = place.count("\"Contact\"").await;
    assert!(before > 0 && before < CONTACTS && before.is_multiple_of(PAGE), "whole batches: {before}");
    let again = org.run("sync acme").await;
    assert_eq!(again.code, 0, "{again:?}");
    let run = last_run(org).await;
    assert_eq!((&run["resumed"], &run["state"]), (&true.into(), &"completed".into()), "{run}");
    assert_eq!(run["read"], CONTACTS - before, "{run}");
    assert_eq!(place.count("\"Contact\" WHERE \"Description\" IS NOT NULL").await, CONTACTS);
}

#[tokio::test]
async fn a_file_that_may_not_grow_fails_the_run_with_what_to_do_and_the_next_one_goes_on() {
    let org = of_long_texts().await;
    let place = Place::File(org.directory.path().join("rows.db"));
    let line = format!("import acme Contact --fields LastName,Description --read rest --to {} --json", place.to());
    let failed = with_files_up_to(&org, 8192, &line).await;
    assert_eq!(failed.code, 5, "{failed:?}");
    let error = failed.json()["streams"][0]["error"].clone();
    assert_eq!(error["code"], "destination", "{error}");
    for said in ["rows.db", "size of files", "free some space"] {
        assert!(error["message"].as_str().unwrap().contains(said), "{said}: {error}");
    }
    assert_eq!(last_run(&org).await["state"], "failed");
    goes_on(&org, &place).await;
}

/// A server's own words for a disk that is full, when the table has so many rows.
fn no_room_from(rows: usize) -> String {
    format!(
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF (SELECT count(*) FROM \"Contact\") >= {rows} THEN
                 RAISE EXCEPTION 'could not extend file \"base/5/16384\": No space left on device' USING ERRCODE = '53100';
             END IF;
             RETURN NULL;
         END $$;
         ALTER FUNCTION no_room SET search_path FROM CURRENT;
         CREATE TRIGGER no_room AFTER INSERT ON \"Contact\" FOR EACH STATEMENT EXECUTE FUNCTION no_room()"
    )
}

#[tokio::test]
async fn a_server_whose_disk_is_full_fails_the_run_with_what_to_do_and_the_next_one_goes_on() {
    let Some(schema) = Schema::start().await else { return };
    let org = of_long_texts().await;
    let place = Place::Schema(Box::new(schema));
    let line = format!("import acme Contact --fields LastName,Description --read rest --to {}", place.to());
    assert_eq!(org.run(&format!("{line} --where LastName='None'")).await.code, 0, "the table is made");
    place.execute(&no_room_from(3 * PAGE)).await;
    let failed = org.run(&format!("{line} --json")).await;
    assert_eq!(failed.code, 5, "{failed:?}");
    let error = failed.json()["streams"][0]["error"].clone();
    assert_eq!(error["code"], "destination", "{error}");
    for said in ["is full", "No space left on device", "Free some space"] {
        assert!(error["message"].as_str().unwrap().contains(said), "{said}: {error}");
    }
    place.execute("DROP TRIGGER no_room ON \"Contact\"").await;
    goes_on(&org, &place).await;
}
