//! Whatever goes wrong on the way, nothing is lost and nothing comes twice.

use emulator::{Effect, Fault};
use sync::{read::ReadChoice, run::RunError};

use crate::{
    memory::Durable,
    org::{Org, Setting, nowhere, whole},
};

const PAGES: &str = "GET /services/data/*/jobs/query/*/results*";
const QUERY: &str = "GET /services/data/*/query*";

async fn org() -> Org {
    let sizes = "[bulk]\npage_rows = 200\n[pages]\nrows = 200\nrows_with_long_text = 200";
    Org::start(&format!("[rows]\nContact = 1500\n{sizes}")).await
}

fn passing() -> Vec<Effect> {
    vec![
        Effect::Error { status: 500, code: "UNKNOWN_EXCEPTION".into(), message: "An unexpected error".into() },
        Effect::Error { status: 503, code: "SERVER_UNAVAILABLE".into(), message: "Server too busy".into() },
        Effect::Unavailable { retry_after: 1 },
        Effect::Maintenance { status: 503 },
        Effect::Maintenance { status: 200 },
        Effect::Answer { status: 406, content_type: "text/plain".into(), body: String::new() },
        Effect::CutBody { after: 5_000 },
        Effect::SlowBody { bytes_per_second: 500_000 },
        Effect::Hang,
        Effect::LostAnswer,
        Effect::ExpireSession,
    ]
}

async fn undisturbed(read: ReadChoice) -> Durable {
    let org = org().await;
    let durable = nowhere();
    org.run(&whole("Contact"), &durable, Setting { read, ..Setting::default() }).await.unwrap();
    durable.lock().unwrap().clone()
}

/// Imports with one fault at a time; the run itself recovers, without a second one.
async fn recovers_from_each(read: ReadChoice, on: &str, effects: Vec<Effect>) {
    let expected = undisturbed(read).await;
    for effect in effects {
        let org = org().await;
        let durable = nowhere();
        org.emulator.control().push_fault(Fault { nth: 2, ..Fault::next(on, effect.clone()) });
        let run = org.run(&whole("Contact"), &durable, Setting { read, ..Setting::default() }).await;
        run.unwrap_or_else(|error| panic!("{effect:?}: {error}"));
        assert_eq!(org.emulator.control().unused_faults(), [], "{effect:?} struck");
        assert_eq!(durable.lock().unwrap().rows, expected.rows, "{effect:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_recovers_from_every_passing_fault() {
    recovers_from_each(ReadChoice::Query, QUERY, passing()).await;
}

// Pitfall 39.
#[tokio::test(flavor = "multi_thread")]
async fn bulk_results_recover_from_every_passing_fault_and_from_a_page_that_is_too_short() {
    let mut effects = passing();
    effects.push(Effect::ShortPage { rows: 3 });
    recovers_from_each(ReadChoice::Bulk, PAGES, effects).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_a_job_recovers_from_a_lost_answer() {
    let org = org().await;
    let durable = nowhere();
    org.emulator.control().push_fault(Fault::next("POST /services/data/*/jobs/query", Effect::LostAnswer));
    org.run(&whole("Contact"), &durable, Setting { read: ReadChoice::Bulk, ..Setting::default() }).await.unwrap();
    org.assert_has_all("Contact", &durable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_is_reported_with_its_reason_and_the_next_run_makes_another() {
    let org = org().await;
    let durable = nowhere();
    let effect = Effect::FailedJob { message: "Retried more than 15 times".into() };
    org.emulator.control().push_fault(Fault::next("POST /services/data/*/jobs/query", effect));
    let bulk = || Setting { read: ReadChoice::Bulk, ..Setting::default() };
    let error = org.run(&whole("Contact"), &durable, bulk()).await.unwrap_err();
    assert!(error.to_string().contains("Retried more than 15 times"), "{error}");
    org.run(&whole("Contact"), &durable, bulk()).await.unwrap();
    org.assert_has_all("Contact", &durable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_never_ends_is_given_up_and_the_next_run_makes_another() {
    let org = org().await;
    let durable = nowhere();
    org.emulator.control().push_fault(Fault::next("POST /services/data/*/jobs/query", Effect::StuckJob));
    let bulk = || Setting { read: ReadChoice::Bulk, ..Setting::default() };
    let error = org.run(&whole("Contact"), &durable, bulk()).await.unwrap_err();
    assert!(error.to_string().contains("has not ended"), "{error}");
    org.run(&whole("Contact"), &durable, bulk()).await.unwrap();
    org.assert_has_all("Contact", &durable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_days_quota_is_reported_and_not_retried() {
    let org = org().await;
    let durable = nowhere();
    let effect = Effect::Error {
        status: 403,
        code: "REQUEST_LIMIT_EXCEEDED".into(),
        message: "TotalRequests Limit exceeded.".into(),
    };
    org.emulator.control().push_fault(Fault::next(QUERY, effect));
    let error = org.sync_fails(&whole("Contact"), &durable).await;
    assert!(matches!(error, RunError::Read(_)), "{error:?}");
    assert!(error.to_string().contains("TotalRequests Limit exceeded."), "{error}");
    assert!(durable.lock().unwrap().rows.is_empty());
}
