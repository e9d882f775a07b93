//! Whatever goes wrong on the way, nothing is lost and nothing comes twice.

use emulator::{Effect, Fault, FaultRate};
use sync::{
    read::{ReadChoice, ReadMode},
    run::RunError,
};

use crate::{
    memory::Durable,
    org::{Org, Setting, nowhere, whole},
};

const PAGES: &str = "GET /services/data/*/jobs/query/*/results*";
const JOBS: &str = "POST /services/data/*/jobs/query";
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
async fn a_job_that_fails_where_bulk_is_wanted_is_reported_with_its_reason_and_the_next_run_makes_another() {
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
async fn a_job_that_stands_still_is_aborted_and_made_again_and_then_the_records_are_queried() {
    let org = org().await;
    let control = org.emulator.control();
    let stuck = || control.push_fault(Fault::next(JOBS, Effect::StuckJob));
    let (once, twice) = (nowhere(), nowhere());
    stuck();
    assert_eq!(org.sync(&whole("Contact"), &once).await.mode, Some(ReadMode::Bulk));
    org.assert_has_all("Contact", &once).await;
    stuck();
    stuck();
    assert_eq!(org.sync(&whole("Contact"), &twice).await.mode, Some(ReadMode::Query));
    org.assert_has_all("Contact", &twice).await;
    assert_eq!(control.unused_faults(), []);
    let aborted = control.journal().iter().filter(|entry| entry.method == "PATCH").count();
    assert_eq!(aborted, 3, "no job is left behind that goes on for nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_tried_too_often_is_not_made_again_but_queried() {
    let org = org().await;
    let durable = nowhere();
    let effect = Effect::FailedJob { message: "Retried more than 15 times".into() };
    org.emulator.control().push_fault(Fault::next(JOBS, effect));
    assert_eq!(org.sync(&whole("Contact"), &durable).await.mode, Some(ReadMode::Query));
    org.assert_has_all("Contact", &durable).await;
}

// Pitfalls 17, 43.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_refused_as_too_large_is_read_in_pieces_and_every_piece_is_read() {
    for (code, pieces) in
        [("QUERY_TIMEOUT", 1), ("EXCEEDED_ID_LIMIT", 1), ("OPERATION_TOO_LARGE", 3), ("QUERY_TOO_COMPLICATED", 2)]
    {
        let org = org().await;
        let durable = nowhere();
        for _ in 0..pieces {
            let effect = Effect::Error { status: 400, code: code.into(), message: "too much at once".into() };
            org.emulator.control().push_fault(Fault::next(QUERY, effect));
        }
        let setting = Setting { read: ReadChoice::Query, ..Setting::default() };
        org.run(&whole("Contact"), &durable, setting).await.unwrap_or_else(|error| panic!("{code}: {error}"));
        org.assert_has_all("Contact", &durable).await;
        assert_eq!(durable.lock().unwrap().taken, 1500, "{code}: none twice");
    }
}

// Pitfall 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_too_large_in_the_smallest_piece_is_reported_with_what_to_do() {
    let org = org().await;
    let durable = nowhere();
    let message = "exceeded 100000 distinct who/what's".to_owned();
    let effect = Effect::Error { status: 400, code: "OPERATION_TOO_LARGE".into(), message };
    org.emulator.control().set_fault_rate(FaultRate { on: QUERY.into(), probability: 1.0, effect });
    let error = org.sync_fails(&whole("Contact"), &durable).await;
    assert!(error.to_string().contains("View All Data"), "{error}");
    let asked = org.emulator.control().journal().iter().filter(|entry| entry.route.ends_with("/query")).count();
    assert!(asked < 10, "{asked} attempts");
}

// Pitfall 41.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_lost_is_asked_for_again_behind_the_last_record() {
    let org = org().await;
    let durable = nowhere();
    for nth in [2, 4] {
        let message = "invalid query locator".to_owned();
        let effect = Effect::Error { status: 400, code: "INVALID_QUERY_LOCATOR".into(), message };
        org.emulator.control().push_fault(Fault { nth, ..Fault::next("GET /services/data/*/query/*", effect) });
    }
    org.run(&whole("Contact"), &durable, Setting { read: ReadChoice::Query, ..Setting::default() }).await.unwrap();
    org.assert_has_all("Contact", &durable).await;
    assert_eq!(durable.lock().unwrap().taken, 1500, "none twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_while_a_job_is_waited_for_is_renewed_and_the_job_goes_on() {
    let org = org().await;
    let durable = nowhere();
    org.emulator.control().push_fault(Fault::next("GET /services/data/*/jobs/query/*", Effect::ExpireSession));
    org.run(&whole("Contact"), &durable, Setting { read: ReadChoice::Bulk, ..Setting::default() }).await.unwrap();
    org.assert_has_all("Contact", &durable).await;
    let made = org.emulator.control().journal().iter().filter(|entry| entry.route.ends_with("jobs/query")).count();
    assert_eq!(made, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_are_gone_in_the_middle_are_made_again_and_what_is_written_stays() {
    for (status, code) in [(404, "NOT_FOUND"), (410, "GONE")] {
        let org = org().await;
        let durable = nowhere();
        let effect =
            Effect::Error { status, code: code.into(), message: "The requested resource does not exist".into() };
        org.emulator.control().push_fault(Fault { nth: 4, ..Fault::next("GET /services/data/*/results*", effect) });
        let bulk = Setting { read: ReadChoice::Bulk, ..Setting::default() };
        org.run(&whole("Contact"), &durable, bulk).await.unwrap_or_else(|error| panic!("{status}: {error}"));
        org.assert_has_all("Contact", &durable).await;
    }
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
