//! Bulk API 2.0 query jobs.

use emulator::scenario::{Advance, Scenario};
use emulator::{Effect, Fault};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen, in_time};

const JOBS: &str = "/services/data/v60.0/jobs/query";
const ALL: &str = "SELECT Id, LastName, Account.Name, Score__c, HasOptedOutOfEmail, CreatedDate FROM Contact";

async fn start(page_rows: u64) -> (Acme, String) {
    let acme = Acme::start_with(|scenario: &mut Scenario| {
        scenario.bulk.page_rows = page_rows;
        scenario.bulk.advance = Advance::Step;
    })
    .await;
    let token = acme.sign_in().await;
    (acme, token)
}

async fn post(acme: &Acme, token: &str, body: Value) -> Seen {
    acme.send(Method::POST, JOBS, token, &body).await
}

/// Creates a job and takes it to its end.
async fn finish(acme: &Acme, token: &str, body: Value) -> String {
    let created = post(acme, token, body).await;
    assert_eq!(created.status, 200, "{}", created.text);
    acme.emulator.control().step_jobs();
    acme.emulator.control().step_jobs();
    created.json()["id"].as_str().unwrap().to_owned()
}

async fn finish_query(acme: &Acme, token: &str, soql: &str) -> String {
    finish(acme, token, json!({"operation": "query", "query": soql})).await
}

async fn poll(acme: &Acme, token: &str, id: &str) -> Value {
    acme.get(&format!("{JOBS}/{id}"), token).await.json()
}

/// Waits for a job to come into a state.
async fn reaches(acme: &Acme, token: &str, id: &str, state: &str) {
    let reached = async {
        while poll(acme, token, id).await["state"] != state {
            tokio::task::yield_now().await;
        }
    };
    in_time(state, reached).await;
}

async fn rows_by_rest(acme: &Acme, token: &str, soql: &str) -> u64 {
    let request = acme.request(Method::GET, "/services/data/v60.0/query", token).query(&[("q", soql)]);
    Seen::of(request.send().await.unwrap()).await.json()["totalSize"].as_u64().unwrap()
}

/// Records of a CSV whose values are quoted; line breaks inside quotes belong to values.
fn records(csv: &str) -> Vec<&str> {
    let mut records = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (index, byte) in csv.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => {
                records.push(&csv[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    assert_eq!(start, csv.len(), "the last record ends with a line break");
    records
}

#[tokio::test]
async fn a_job_goes_from_the_queue_through_work_to_completion_step_by_step() {
    let (acme, token) = start(50_000).await;
    let created = post(&acme, &token, json!({"operation": "query", "query": ALL, "contentType": "CSV"})).await;
    assert_eq!(created.status, 200);
    let body = created.json();
    let id = body["id"].as_str().unwrap();
    assert!(id.starts_with("750") && id.len() == 18);
    let expected = json!({
        "id": id, "operation": "query", "object": "Contact", "createdById": body["createdById"],
        "createdDate": "2026-11-21T09:00:00.000+0000", "systemModstamp": "2026-11-21T09:00:00.000+0000",
        "state": "UploadComplete", "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": 60.0,
        "lineEnding": "LF", "columnDelimiter": "COMMA",
    });
    assert_eq!(body, expected);
    assert!(created.text.contains("\"apiVersion\":60.0"), "{}", created.text);

    assert_eq!(poll(&acme, &token, id).await["state"], "UploadComplete");
    acme.emulator.control().step_jobs();
    assert_eq!(poll(&acme, &token, id).await["state"], "InProgress");
    let early = acme.get(&format!("{JOBS}/{id}/results"), &token).await;
    assert_eq!((early.status, early.code().as_str()), (400, "INVALIDJOBSTATE"));
    acme.emulator.control().step_jobs();
    let done = poll(&acme, &token, id).await;
    assert_eq!((done["state"].as_str(), done["jobType"].as_str()), (Some("JobComplete"), Some("V2Query")));
    assert_eq!(done["numberRecordsProcessed"], rows_by_rest(&acme, &token, ALL).await);
    assert_eq!(done["isPkChunkingSupported"], true);
    assert!(done.get("errorMessage").is_none());
}

#[tokio::test]
async fn jobs_run_by_themselves_unless_the_scenario_says_otherwise() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let created = post(&acme, &token, json!({"operation": "query", "query": ALL})).await.json();
    let id = created["id"].as_str().unwrap();
    reaches(&acme, &token, id, "JobComplete").await;
}

#[tokio::test]
async fn pages_by_locator_repeat_the_header_and_end_with_the_text_null() {
    let (acme, token) = start(50_000).await;
    let id = finish_query(&acme, &token, ALL).await;
    let total = poll(&acme, &token, &id).await["numberRecordsProcessed"].as_u64().unwrap();
    let (mut rows, mut pages, mut locator) = (0, 0, None::<String>);
    loop {
        let from = locator.as_ref().map(|locator| format!("&locator={locator}")).unwrap_or_default();
        let path = format!("{JOBS}/{id}/results?maxRecords=150{from}");
        let page = acme.get(&path, &token).await;
        assert_eq!(page.header("content-type"), "text/csv; charset=UTF-8");
        let lines = records(&page.text);
        let header = r#""Id","LastName","Account.Name","Score__c","HasOptedOutOfEmail","CreatedDate""#;
        assert_eq!(lines[0], header);
        assert_eq!(page.header("sforce-numberofrecords"), (lines.len() - 1).to_string());
        assert_eq!(acme.get(&path, &token).await.text, page.text, "a locator gives the same page again");
        rows += lines.len() as u64 - 1;
        pages += 1;
        match page.header("sforce-locator") {
            "null" => break,
            next => locator = Some(next.to_owned()),
        }
    }
    assert_eq!((rows, pages), (total, total.div_ceil(150)));
}

#[tokio::test]
async fn result_pages_give_five_urls_at_a_time_that_cover_every_row_once() {
    let (acme, token) = start(60).await;
    let id = finish_query(&acme, &token, ALL).await;
    let total = poll(&acme, &token, &id).await["numberRecordsProcessed"].as_u64().unwrap();
    let mut urls = Vec::new();
    let mut list = acme.get(&format!("{JOBS}/{id}/resultPages"), &token).await.json();
    loop {
        let pages = list["resultPages"].as_array().unwrap();
        urls.extend(pages.iter().map(|page| page["resultUrl"].as_str().unwrap().to_owned()));
        if list["done"] == true {
            assert!(list.get("nextRecordsUrl").is_none());
            break;
        }
        assert_eq!(pages.len(), 5);
        let next = list["nextRecordsUrl"].as_str().unwrap().to_owned();
        assert!(next.contains("/resultpages?locator="), "{next}");
        list = acme.get(&next, &token).await.json();
    }
    assert_eq!(urls.len() as u64, total.div_ceil(60));
    let mut ids = Vec::new();
    for url in &urls {
        let page = acme.get(url, &token).await;
        ids.extend(records(&page.text)[1..].iter().map(|row| row[..20].to_owned()));
    }
    assert_eq!(ids.len() as u64, total);
    ids.dedup();
    assert_eq!(ids.len() as u64, total);
    let old = acme.get(&format!("/services/data/v57.0/jobs/query/{id}/resultPages"), &token).await;
    assert_eq!(old.status, 404);
}

#[tokio::test]
async fn results_are_given_to_the_version_of_the_job_only() {
    let (acme, token) = start(50_000).await;
    let id = finish_query(&acme, &token, ALL).await;
    assert_eq!(acme.get(&format!("/services/data/v61.0/jobs/query/{id}/results"), &token).await.status, 409);
}

#[tokio::test]
async fn values_have_the_bulk_form_in_the_asked_dialect() {
    let (acme, _) = start(50_000).await;
    let admin = acme.sign_in_as_admin().await;
    let record =
        json!({"LastName": "A \"quoted\"\nname", "Score__c": 912_260_031.5, "Birthdate": "2001-02-03", "Phone": "N/A"});
    acme.send(Method::POST, "/services/data/v60.0/sobjects/Contact", &admin, &record).await;
    let soql = "SELECT LastName, Score__c, Birthdate, Phone, Email, Account.Name, CreatedDate FROM Contact WHERE Phone = 'N/A' AND Birthdate = 2001-02-03";
    let body = json!({"operation": "queryAll", "query": soql, "columnDelimiter": "PIPE", "lineEnding": "CRLF"});
    let id = finish(&acme, &admin, body).await;
    let page = acme.get(&format!("{JOBS}/{id}/results"), &admin).await;
    let expected = "\"LastName\"|\"Score__c\"|\"Birthdate\"|\"Phone\"|\"Email\"|\"Account.Name\"|\"CreatedDate\"\r\n\
                    \"A \"\"quoted\"\"\nname\"|\"9.122600315E8\"|\"2001-02-03\"|\"N/A\"|||\"2026-11-21T09:00:00.000Z\"\r\n";
    assert_eq!(page.text, expected);
}

#[tokio::test]
async fn no_rows_are_a_header_and_no_locator() {
    let (acme, token) = start(50_000).await;
    let id = finish_query(&acme, &token, "SELECT Id FROM Contact WHERE LastName = 'nobody at all'").await;
    let page = acme.get(&format!("{JOBS}/{id}/results"), &token).await;
    assert_eq!((page.text.as_str(), page.header("sforce-locator")), ("\"Id\"\n", "null"));
    assert_eq!(page.header("sforce-numberofrecords"), "0");
    let pages = acme.get(&format!("{JOBS}/{id}/resultPages"), &token).await.json();
    assert_eq!(pages, json!({"resultPages": [], "done": true}));
}

#[tokio::test]
async fn results_are_compressed_only_for_exactly_gzip() {
    let (acme, token) = start(50_000).await;
    let id = finish_query(&acme, &token, ALL).await;
    let client = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let ask = async |encoding: &str| {
        let request = client.get(acme.url(&format!("{JOBS}/{id}/results"))).bearer_auth(&token);
        let response = request.header("accept-encoding", encoding).send().await.unwrap();
        (response.headers().contains_key("content-encoding"), response.bytes().await.unwrap())
    };
    let (packed, plain) = ask("gzip, deflate").await;
    assert!(!packed);
    let (packed, bytes) = ask("gzip").await;
    assert!(packed && bytes.len() < plain.len());
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
}

#[tokio::test]
async fn what_bulk_cannot_query_is_refused_at_creation() {
    let acme = Acme::start_with(|scenario| scenario.bulk.refused_objects = vec!["Opportunity".into()]).await;
    let token = acme.sign_in_as_admin().await;
    for (soql, code, message) in [
        ("SELECT BillingAddress FROM Account", "API_ERROR", "Selecting compound data not supported in Bulk Query"),
        ("SELECT Id FROM CaseStatus", "INVALIDENTITY", "Entity 'CaseStatus' is not supported by the Bulk API."),
        ("SELECT Id FROM Opportunity", "INVALIDENTITY", "Entity 'Opportunity' is not supported by the Bulk API."),
        ("SELECT Nope FROM Account", "INVALID_FIELD", "No such column 'Nope' on entity 'Account'"),
        ("SELECT Id FROM Nope", "INVALID_TYPE", "sObject type 'Nope' is not supported"),
        ("SELEC Id FROM Account", "MALFORMED_QUERY", "unexpected token"),
    ] {
        let answer = post(&acme, &token, json!({"operation": "query", "query": soql})).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{soql}: {}", answer.text);
        assert!(answer.json()[0]["message"].as_str().unwrap().contains(message), "{}", answer.text);
    }
    let answer = post(&acme, &token, json!({"operation": "insert", "query": "SELECT Id FROM Account"})).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "INVALIDJOB"));
}

#[tokio::test]
async fn the_daily_number_of_jobs_is_limited() {
    let acme = Acme::start_with(|scenario| scenario.limits.daily_bulk_query_jobs = 1).await;
    let token = acme.sign_in().await;
    let body = json!({"operation": "query", "query": ALL});
    assert_eq!(post(&acme, &token, body.clone()).await.status, 200);
    let refused = post(&acme, &token, body).await;
    assert_eq!(refused.json()[0]["message"], "Max bulk v2 query jobs (1) per 24 hrs has been reached");
}

#[tokio::test]
async fn a_job_can_be_aborted_while_it_runs_and_deleted_once_it_is_done() {
    let (acme, token) = start(50_000).await;
    let abort =
        async |id: &str| acme.send(Method::PATCH, &format!("{JOBS}/{id}"), &token, &json!({"state": "Aborted"})).await;
    let delete = async |id: &str| acme.send(Method::DELETE, &format!("{JOBS}/{id}"), &token, &json!({})).await;
    let running = post(&acme, &token, json!({"operation": "query", "query": ALL})).await.json();
    let running = running["id"].as_str().unwrap();
    let refused = delete(running).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "API_ERROR"));
    let aborted = abort(running).await;
    assert_eq!((aborted.status, aborted.json()["state"].as_str()), (200, Some("Aborted")));
    acme.emulator.control().step_jobs();
    assert_eq!(poll(&acme, &token, running).await["state"], "Aborted");
    assert_eq!(delete(running).await.status, 204);
    let gone = acme.get(&format!("{JOBS}/{running}"), &token).await;
    assert_eq!((gone.status, gone.code().as_str()), (404, "NOT_FOUND"));

    let done = finish_query(&acme, &token, ALL).await;
    let expected = json!([{"errorCode": "INVALIDJOBSTATE", "message": "Aborting already Completed Job not allowed"}]);
    assert_eq!(abort(&done).await.json(), expected);
}

#[tokio::test]
async fn jobs_are_listed_for_their_creator_and_kept_for_seven_days() {
    let (acme, token) = start(50_000).await;
    let id = finish_query(&acme, &token, ALL).await;
    let list = acme.get(JOBS, &token).await.json();
    assert_eq!((list["done"].as_bool(), list["records"][0]["id"].as_str()), (Some(true), Some(id.as_str())));
    assert_eq!(acme.get(&format!("{JOBS}?jobType=V2Ingest"), &token).await.json()["records"], json!([]));
    let other = acme.sign_in_as_admin().await;
    assert_eq!(acme.get(&format!("{JOBS}/{id}"), &other).await.status, 404);
    acme.emulator.control().advance(std::time::Duration::from_secs(7 * 86_400));
    let token = acme.sign_in().await;
    assert_eq!(acme.get(&format!("{JOBS}/{id}"), &token).await.status, 404);
}

#[tokio::test]
async fn a_job_shows_the_data_of_the_moment_when_it_was_worked_on() {
    let (acme, _) = start(50_000).await;
    let token = acme.sign_in_as_admin().await;
    let soql = "SELECT Id FROM Account";
    let id = finish_query(&acme, &token, soql).await;
    let before = acme.get(&format!("{JOBS}/{id}/results"), &token).await.text;
    acme.send(Method::POST, "/services/data/v60.0/sobjects/Account", &token, &json!({"Name": "later"})).await;
    assert_eq!(acme.get(&format!("{JOBS}/{id}/results"), &token).await.text, before);
    let again = finish_query(&acme, &token, soql).await;
    let after = acme.get(&format!("{JOBS}/{again}/results"), &token).await.text;
    assert_eq!(records(&after).len(), records(&before).len() + 1);
}

#[tokio::test]
async fn faults_make_jobs_hang_or_fail_and_pages_short() {
    let (acme, token) = start(50_000).await;
    let control = acme.emulator.control();
    control.push_fault(Fault::next("POST */jobs/query", Effect::StuckJob));
    let stuck = finish_query(&acme, &token, ALL).await;
    control.step_jobs();
    assert_eq!(poll(&acme, &token, &stuck).await["state"], "InProgress");

    let message = "InvalidBatch : Field name not found : X";
    control.push_fault(Fault::next("POST */jobs/query", Effect::FailedJob { message: message.into() }));
    let failed = finish_query(&acme, &token, ALL).await;
    let body = poll(&acme, &token, &failed).await;
    assert_eq!((body["state"].as_str(), body["errorMessage"].as_str()), (Some("Failed"), Some(message)));

    let id = finish_query(&acme, &token, ALL).await;
    control.push_fault(Fault::next("GET */results", Effect::ShortPage { rows: 3 }));
    let short = acme.get(&format!("{JOBS}/{id}/results"), &token).await;
    let promised: usize = short.header("sforce-numberofrecords").parse().unwrap();
    assert_eq!(records(&short.text).len() - 1, promised - 3);
}

#[tokio::test]
async fn results_that_need_more_disk_than_allowed_fail_the_job_with_the_reason() {
    let (acme, token) = {
        let acme = Acme::start_with(|scenario| {
            scenario.bulk.spool_megabytes = 0;
            scenario.bulk.advance = Advance::Step;
        })
        .await;
        let token = acme.sign_in().await;
        (acme, token)
    };
    let id = finish_query(&acme, &token, ALL).await;
    let body = poll(&acme, &token, &id).await;
    assert_eq!(body["state"], "Failed");
    assert!(body["errorMessage"].as_str().unwrap().contains("raise bulk.spool_megabytes"), "{body}");
}

#[tokio::test]
async fn a_locator_of_another_job_is_refused() {
    let (acme, token) = start(50_000).await;
    let (one, two) = (finish_query(&acme, &token, ALL).await, finish_query(&acme, &token, ALL).await);
    let page = acme.get(&format!("{JOBS}/{one}/results?maxRecords=10"), &token).await;
    let path = format!("{JOBS}/{two}/results?locator={}", page.header("sforce-locator"));
    assert_eq!(acme.get(&path, &token).await.code(), "INVALID_QUERY_LOCATOR");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_fails_the_job_with_its_name() {
    let mut scenario = Scenario::builtin("acme").unwrap();
    scenario.bulk.advance = Advance::Step;
    let folder = tempfile::tempdir().unwrap().path().join("missing");
    let acme = Acme::start_in(scenario, emulator::Options { spool: Some(folder), ..Default::default() }).await;
    let token = acme.sign_in().await;
    let id = finish_query(&acme, &token, ALL).await;
    let body = poll(&acme, &token, &id).await;
    assert_eq!(body["state"], "Failed");
    assert!(body["errorMessage"].as_str().unwrap().contains("/missing: "), "{body}");
}

#[tokio::test]
async fn a_slow_job_stays_in_progress_until_its_time_has_come() {
    let acme = Acme::start().await;
    let token = acme.sign_in().await;
    let control = acme.emulator.control();
    control.push_fault(Fault::next("POST */jobs/query", Effect::SlowJob { seconds: 3600 }));
    let created = post(&acme, &token, json!({"operation": "query", "query": ALL})).await.json();
    let id = created["id"].as_str().unwrap();
    reaches(&acme, &token, id, "InProgress").await;
    control.advance(std::time::Duration::from_secs(3000));
    assert_eq!(poll(&acme, &token, id).await["state"], "InProgress");
    control.advance(std::time::Duration::from_secs(600));
    let token = acme.sign_in().await;
    reaches(&acme, &token, id, "JobComplete").await;
}

#[tokio::test]
async fn somebody_aborts_a_job_that_is_created_or_looked_at() {
    let (acme, token) = start(50_000).await;
    let control = acme.emulator.control();
    control.push_fault(Fault::next("POST */jobs/query", Effect::AbortedJob));
    let id = finish_query(&acme, &token, ALL).await;
    assert_eq!(poll(&acme, &token, &id).await["state"], "Aborted");
    let created = post(&acme, &token, json!({"operation": "query", "query": ALL})).await.json();
    control.push_fault(Fault::next("GET */jobs/query/{id}", Effect::AbortedJob));
    assert_eq!(poll(&acme, &token, created["id"].as_str().unwrap()).await["state"], "Aborted");
}

#[tokio::test]
async fn results_expire_with_their_job_and_locators_by_themselves() {
    let (acme, token) = start(100).await;
    let control = acme.emulator.control();
    let id = finish_query(&acme, &token, ALL).await;
    let path = format!("{JOBS}/{id}/results");
    let first = acme.get(&path, &token).await;
    let next = format!("{path}?locator={}", first.header("sforce-locator"));
    control.push_fault(Fault::next("GET */jobs/query/{id}/results", Effect::ExpiredLocator));
    let refused = acme.get(&next, &token).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "INVALID_QUERY_LOCATOR"));
    assert_eq!(acme.get(&next, &token).await.status, 200);
    control.push_fault(Fault::next("GET */jobs/query/{id}/results", Effect::ExpiredJob));
    for _ in 0..2 {
        let gone = acme.get(&next, &token).await;
        assert_eq!((gone.status, gone.code().as_str()), (404, "NOT_FOUND"));
    }
}
