//! What the records of runs say of API calls, and what the org saw.

use std::time::Duration;

use emulator::Effect;
use orgtide::error::Error;
use sync::mapping::{ColumnMapping, Mapping};

use crate::describes::{InProcess, of_object};

const COMPOSITE: &str = "POST /services/data/vXX.X/composite";
const QUERY: &str = "GET /services/data/vXX.X/query*";
const AFTER_DESCRIBES: Duration = Duration::from_secs(11 * 60);

/// The calls of all runs so far, by their records.
async fn told(scene: &InProcess) -> u64 {
    match scene.app.latest_runs("acme", &[], 100).await {
        Err(Error::NoStreams { .. }) => 0,
        runs => runs.unwrap().iter().map(|run| run.run.counts.api_calls).sum(),
    }
}

/// Where counting begins: entries of the org's journal, and calls that records tell of.
async fn now(scene: &InProcess) -> (usize, u64) {
    (scene.journalled(), told(scene).await)
}

/// Every request for data since then stands in the record of a run; returns how many these are.
async fn all_are_told(scene: &InProcess, (journalled, before): (usize, u64)) -> u64 {
    let (requests, told) = (scene.requests_since(journalled), told(scene).await - before);
    assert_eq!(told, requests.len() as u64, "{requests:?}");
    told
}

fn objects() -> Vec<Mapping> {
    let accounts = Mapping {
        columns: vec![ColumnMapping::field("Name"), ColumnMapping::field("Owner.Name")],
        ..of_object("Account")
    };
    vec![accounts, of_object("Contact"), of_object("Opportunity")]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_records_of_a_first_import_and_of_idle_cycles_name_every_call_once() {
    let scene = InProcess::start().await;
    let begun = now(&scene).await;
    let outcomes = scene.import(objects()).await;
    assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()), "{outcomes:?}");
    let calls = all_are_told(&scene, begun).await;
    let reports: u64 = outcomes.iter().map(|outcome| outcome.result.as_ref().unwrap().counts.api_calls).sum();
    assert_eq!(reports, calls, "what is shown at the end of a run is what its record says");
    // Describes, those of parents, and a page each at least.
    assert!(calls >= 2 + 3, "{calls}");

    scene.pass(AFTER_DESCRIBES);
    let begun = now(&scene).await;
    scene.sync().await;
    assert!(all_are_told(&scene, begun).await >= 2 + 3, "describes are asked for anew");

    scene.pass(Duration::from_secs(60));
    let begun = now(&scene).await;
    scene.sync().await;
    assert_eq!(all_are_told(&scene, begun).await, 3, "nothing but a page each");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_and_a_stage_tell_their_calls() {
    let scene = InProcess::start().await;
    for line in ["import acme Contact --read bulk", "stage run acme Account", "stage test acme Opportunity"] {
        let begun = now(&scene).await;
        let ended = scene.acme.run(line).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(all_are_told(&scene, begun).await >= 2, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_tells_its_calls_whatever_it_failed_at() {
    let scene = InProcess::start().await;
    scene.import(objects()).await;
    // Deletions are asked for, with the first pages, and not again in the next hour.
    scene.sync().await;
    let refused = || Effect::Error { status: 403, code: "REQUEST_LIMIT_EXCEEDED".into(), message: "played".into() };
    for (route, calls) in [(COMPOSITE, 1), (QUERY, 2)] {
        scene.pass(AFTER_DESCRIBES);
        scene.acme.fault_always(route, refused());
        let begun = now(&scene).await;
        let outcomes = scene.sync().await;
        assert!(outcomes.iter().all(|outcome| outcome.result.is_err()), "{route}: {outcomes:?}");
        assert!(all_are_told(&scene, begun).await >= calls, "{route}");
        let runs = scene.app.latest_runs("acme", &["Account".into()], 1).await.unwrap();
        assert!(runs[0].run.counts.api_calls >= calls, "{route}: {runs:?}");
        scene.acme.emulator.control().clear_faults();
    }
}
