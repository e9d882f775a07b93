//! `orgtide serve` that is told to end in the middle of a run.

use std::{sync::Arc, time::Duration};

use emulator::{Effect, Fault, Scenario};
use orgtide::app::{App, connect::AppChoice};
use tokio::process::Child;

use crate::{
    org::{Acme, CLIENT_ID, CLIENT_SECRET, Ended, ORG, end_of, ended, in_time, until},
    schedule::{connect_and_import, planned},
};

const QUERY: &str = "GET /services/data/vXX.X/query*";
const CONTACTS: usize = 400;
const PAGE: usize = 100;

fn serving(org: &Acme) -> Child {
    org.spawn("serve --json --listen 127.0.0.1:0")
}

async fn told_to_end(serving: Child) -> Ended {
    let pid = serving.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    in_time("the end of the program", ended(serving)).await
}

/// Rows so far, also before there is a table.
fn written(org: &Acme) -> usize {
    let count =
        |file: rusqlite::Connection| file.query_row("SELECT count(*) FROM Contact", [], |row| row.get::<_, i64>(0));
    let counted = rusqlite::Connection::open(org.data().join("acme.db")).and_then(count);
    counted.map_or(0, |rows| usize::try_from(rows).unwrap())
}

/// Waits until the run that is due has come to an end.
async fn has_run(app: &App) {
    let run = async {
        while planned(app, "acme").await.schedule.is_wanted {
            tokio::task::yield_now().await;
        }
    };
    in_time("the run that is due", run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_end_stops_at_a_checkpoint_and_the_next_one_goes_on_from_there() {
    let mut scenario = Scenario::builtin("acme").unwrap();
    (scenario.pages.rows, scenario.pages.rows_with_long_text) = (PAGE, PAGE);
    let org = Acme::of(scenario).await;
    // No record is so young that the window after an interrupted one reads it again.
    org.emulator.control().advance(Duration::from_secs(7200));
    let app = Arc::new(org.app(&[]).await);
    let own = AppChoice::Own { client_id: CLIENT_ID.into(), client_secret: Some(CLIENT_SECRET.to_owned().into()) };
    assert!(connect_and_import(&app, ("acme", ORG), own, &["Contact"], "hourly").await.is_empty());
    org.emulator.control().push_fault(Fault { nth: 3, ..Fault::next(QUERY, Effect::Hang) });
    let mut first = serving(&org);
    org.faults_struck(end_of(&mut first)).await;
    until("the first rows", || written(&org) > 0).await;

    let first = told_to_end(first).await;
    assert_eq!(first.code, 0, "{first:?}");
    let stopped = org.run("runs acme --json").await.json()["runs"][0].clone();
    let before = written(&org);
    assert!(before.is_multiple_of(PAGE) && before < CONTACTS, "{before}");
    assert_eq!((&stopped["state"], &stopped["rows"]), (&"stopped".into(), &before.into()), "{stopped}");
    assert!(planned(&app, "acme").await.schedule.is_wanted, "it is still due");

    let second = serving(&org);
    has_run(&app).await;
    let second = told_to_end(second).await;
    assert_eq!(second.code, 0, "{second:?}");
    let runs = org.run("runs acme --json").await.json()["runs"].clone();
    let gone_on = &runs[0];
    assert_eq!((&gone_on["state"], &gone_on["resumed"]), (&"completed".into(), &true.into()), "{runs}");
    assert_eq!((runs.as_array().unwrap().len(), written(&org)), (2, CONTACTS), "{runs}");
    assert_eq!(gone_on["read"], CONTACTS - before, "what is written is not read again: {runs}");
}
