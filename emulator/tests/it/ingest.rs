//! Ingest jobs of Bulk API 2.0.

mod refused;

use std::time::Duration;

use emulator::scenario::{Advance, Scenario};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen, in_time};

const JOBS: &str = "/services/data/v60.0/jobs/ingest";
const SUCCESSFUL: &str = "successfulResults/";
const FAILED: &str = "failedResults/";
const UNPROCESSED: &str = "unprocessedrecords/";

async fn start_with(change: impl FnOnce(&mut Scenario)) -> (Acme, String) {
    let acme = Acme::start_with(|scenario| {
        scenario.bulk.advance = Advance::Step;
        for profile in scenario.profiles.values_mut() {
            profile.bulk_hard_delete = profile.modify_all_data;
        }
        change(scenario);
    })
    .await;
    let token = acme.sign_in_as_admin().await;
    (acme, token)
}

async fn start() -> (Acme, String) {
    start_with(|_| {}).await
}

async fn create(acme: &Acme, token: &str, body: Value) -> Seen {
    acme.send(Method::POST, JOBS, token, &body).await
}

async fn put(acme: &Acme, token: &str, id: &str, csv: impl Into<reqwest::Body>) -> Seen {
    let request = acme.request(Method::PUT, &format!("{JOBS}/{id}/batches"), token);
    Seen::of(request.header("content-type", "text/csv").body(csv).send().await.unwrap()).await
}

async fn set_state(acme: &Acme, token: &str, id: &str, state: &str) -> Seen {
    acme.send(Method::PATCH, &format!("{JOBS}/{id}"), token, &json!({"state": state})).await
}

async fn poll(acme: &Acme, token: &str, id: &str) -> Value {
    acme.get(&format!("{JOBS}/{id}"), token).await.json()
}

async fn results(acme: &Acme, token: &str, id: &str, rows: &str) -> String {
    let answer = acme.get(&format!("{JOBS}/{id}/{rows}"), token).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/csv; charset=UTF-8"), "{}", answer.text);
    answer.text
}

/// A job with its content, closed.
async fn submit(acme: &Acme, token: &str, job: Value, csv: &str) -> String {
    let created = create(acme, token, job).await;
    assert_eq!(created.status, 200, "{}", created.text);
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let uploaded = put(acme, token, &id, csv.to_owned()).await;
    assert_eq!((uploaded.status, uploaded.text.as_str()), (201, ""));
    assert_eq!(set_state(acme, token, &id, "UploadComplete").await.status, 200);
    id
}

/// The same, taken to its end.
async fn load(acme: &Acme, token: &str, job: Value, csv: &str) -> String {
    let id = submit(acme, token, job, csv).await;
    acme.emulator.control().step_jobs();
    acme.emulator.control().step_jobs();
    id
}

fn job(operation: &str, object: &str) -> Value {
    json!({"operation": operation, "object": object, "contentType": "CSV", "lineEnding": "LF"})
}

fn upsert(object: &str, key: &str) -> Value {
    json!({"operation": "upsert", "object": object, "externalIdFieldName": key, "contentType": "CSV"})
}

async fn query(acme: &Acme, token: &str, soql: &str) -> Value {
    let request = acme.request(Method::GET, "/services/data/v60.0/query", token).query(&[("q", soql)]);
    let answer = Seen::of(request.send().await.unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// The ids of a successful result, in its order.
fn ids(csv: &str) -> Vec<String> {
    csv.lines().skip(1).map(|line| line[1..19].to_owned()).collect()
}

async fn accounts(acme: &Acme, token: &str, numbers: &[&str]) -> Vec<String> {
    let rows: String = numbers.iter().map(|number| format!("Account {number},{number}\n")).collect();
    let id = load(acme, token, job("insert", "Account"), &format!("Name,Customer_Number__c\n{rows}")).await;
    ids(&results(acme, token, &id, SUCCESSFUL).await)
}

#[tokio::test]
async fn a_job_goes_from_open_to_complete_and_tells_every_row() {
    let (acme, token) = start().await;
    let created = create(&acme, &token, upsert("Account", "Customer_Number__c")).await;
    let body = created.json();
    let id = body["id"].as_str().unwrap();
    assert!(id.starts_with("750") && id.len() == 18);
    let expected = json!({
        "id": id, "operation": "upsert", "object": "Account", "createdById": body["createdById"],
        "createdDate": "2026-11-21T09:00:00.000+0000", "systemModstamp": "2026-11-21T09:00:00.000+0000",
        "state": "Open", "externalIdFieldName": "Customer_Number__c", "concurrencyMode": "Parallel",
        "contentType": "CSV", "apiVersion": 60.0, "contentUrl": format!("services/data/v60.0/jobs/ingest/{id}/batches"),
        "lineEnding": "LF", "columnDelimiter": "COMMA",
    });
    assert_eq!((created.status, &body), (200, &expected));

    let csv = "Name,Customer_Number__c,Phone\n\"Acme, Inc\",C-1,\nNobody,,1\n";
    assert_eq!(put(&acme, &token, id, csv).await.status, 201);
    let again = put(&acme, &token, id, csv).await;
    assert_eq!(again.status, 400);
    assert!(again.text.contains("only do 'PUT' once"), "{}", again.text);
    assert_eq!(poll(&acme, &token, id).await["state"], "Open");
    acme.emulator.control().step_jobs();
    assert_eq!(poll(&acme, &token, id).await["state"], "Open", "nothing moves before it is closed");

    let closed = set_state(&acme, &token, id, "UploadComplete").await.json();
    assert_eq!((closed["state"].as_str(), closed.get("contentUrl")), (Some("UploadComplete"), None));
    let late = put(&acme, &token, id, csv).await;
    assert_eq!((late.status, late.code().as_str()), (400, "INVALIDJOBSTATE"));
    acme.emulator.control().step_jobs();
    assert_eq!(poll(&acme, &token, id).await["state"], "InProgress");
    let early = acme.get(&format!("{JOBS}/{id}/{SUCCESSFUL}"), &token).await;
    assert_eq!((early.status, early.code().as_str()), (400, "INVALIDJOBSTATE"));
    acme.emulator.control().step_jobs();

    let done = poll(&acme, &token, id).await;
    for (key, value) in [
        ("state", json!("JobComplete")),
        ("jobType", json!("V2Ingest")),
        ("numberRecordsProcessed", json!(2)),
        ("numberRecordsFailed", json!(1)),
        ("retries", json!(0)),
        ("apexProcessingTime", json!(0)),
    ] {
        assert_eq!(done[key], value, "{key}");
    }
    assert!(done["totalProcessingTime"].is_u64() && done["apiActiveProcessingTime"].is_u64());
    assert!(done.get("errorMessage").is_none());
    let successful = results(&acme, &token, id, SUCCESSFUL).await;
    let account = &ids(&successful)[0];
    assert_eq!(
        successful,
        format!(
            "\"sf__Id\",\"sf__Created\",Name,Customer_Number__c,Phone\n\"{account}\",\"true\",\"Acme, Inc\",\"C-1\",\"\"\n"
        )
    );
    assert_eq!(
        results(&acme, &token, id, FAILED).await,
        "\"sf__Id\",\"sf__Error\",Name,Customer_Number__c,Phone\n\
         \"\",\"MISSING_ARGUMENT:Customer_Number__c not specified:Customer_Number__c --\",\"Nobody\",\"\",\"1\"\n"
    );
    for spelling in ["unprocessedrecords", "unprocessedRecords/"] {
        assert_eq!(results(&acme, &token, id, spelling).await, "Name,Customer_Number__c,Phone\n");
    }
}

#[tokio::test]
async fn an_upsert_creates_once_and_updates_from_then_on() {
    let (acme, token) = start().await;
    let body = upsert("Account", "Customer_Number__c");
    load(&acme, &token, body.clone(), "Customer_Number__c,Name\nU-1,One\nU-2,Two\n").await;
    let csv = "Customer_Number__c,Name\nU-2,Two again\nU-3,Three\nU-3,Three again\nu-3,Other case\n";
    let id = load(&acme, &token, body, csv).await;
    let successful = results(&acme, &token, &id, SUCCESSFUL).await;
    let created: Vec<&str> = successful.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!(created, ["\"false\"", "\"true\"", "\"true\""], "{successful}");
    let failed = results(&acme, &token, &id, FAILED).await;
    assert!(failed.contains("DUPLICATE_VALUE:Duplicate external id specified: U-3:Customer_Number__c --"), "{failed}");
    let found = query(&acme, &token, "SELECT Name FROM Account WHERE Customer_Number__c = 'U-2'").await;
    assert_eq!((found["totalSize"].as_u64(), found["records"][0]["Name"].as_str()), (Some(1), Some("Two again")));
}

#[tokio::test]
async fn empty_cells_keep_a_value_and_the_null_mark_takes_it() {
    let (acme, token) = start().await;
    let account = accounts(&acme, &token, &["N-1"]).await.remove(0);
    let csv = format!("Id,Phone,Website\n{account},1234,acme.example\n");
    load(&acme, &token, job("update", "Account"), &csv).await;
    let csv = format!("Id,Name,Phone,Website\n{account},,#N/A,\n");
    let id = load(&acme, &token, job("update", "Account"), &csv).await;
    assert_eq!(poll(&acme, &token, &id).await["numberRecordsFailed"], 0);
    let soql = format!("SELECT Name, Phone, Website FROM Account WHERE Id = '{account}'");
    let row = query(&acme, &token, &soql).await["records"][0].clone();
    assert_eq!(
        (&row["Name"], &row["Phone"], &row["Website"]),
        (&json!("Account N-1"), &Value::Null, &json!("acme.example"))
    );
    let csv = format!("Id,Name\n{account},#N/A\n");
    let id = load(&acme, &token, job("update", "Account"), &csv).await;
    let failed = results(&acme, &token, &id, FAILED).await;
    assert!(
        failed
            .contains(&format!("\"{account}\",\"REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --\"")),
        "{failed}"
    );
}

#[tokio::test]
async fn rows_are_deleted_by_their_ids_alone() {
    let (acme, token) = start().await;
    let made = accounts(&acme, &token, &["D-1", "D-2", "D-3"]).await;
    let count = async |soql: &str| query(&acme, &token, soql).await["totalSize"].as_u64().unwrap();
    let csv = format!("Id\n{}\n{}\n001xx\n", made[0], made[0]);
    let id = load(&acme, &token, job("delete", "Account"), &csv).await;
    let failed = results(&acme, &token, &id, FAILED).await;
    assert!(failed.contains(&format!("\"{}\",\"ENTITY_IS_DELETED:entity is deleted:--\"", made[0])), "{failed}");
    assert!(failed.contains("MALFORMED_ID:malformed id 001xx:Id --"), "{failed}");
    assert_eq!(count("SELECT Id FROM Account WHERE Customer_Number__c LIKE 'D-%'").await, 2);

    let id = load(&acme, &token, job("hardDelete", "Account"), &format!("Id\n{}\n{}\n", made[0], made[1])).await;
    assert_eq!(poll(&acme, &token, &id).await["numberRecordsFailed"], 0);
    let all = acme.request(Method::GET, "/services/data/v60.0/queryAll", &token);
    let all = all.query(&[("q", "SELECT Id FROM Account WHERE Customer_Number__c LIKE 'D-%'")]);
    assert_eq!(Seen::of(all.send().await.unwrap()).await.json()["totalSize"], 1);

    let csv = format!("Id,Name\n{},x\n", made[2]);
    let id = load(&acme, &token, job("delete", "Account"), &csv).await;
    let body = poll(&acme, &token, &id).await;
    assert_eq!(
        (body["state"].as_str(), body["errorMessage"].as_str()),
        (Some("Failed"), Some("InvalidBatch : Delete batch must contain only ids"))
    );
}

#[tokio::test]
async fn every_delimiter_and_line_ending_works_both_ways() {
    let (acme, token) = start().await;
    for (name, mark) in
        [("BACKQUOTE", '`'), ("CARET", '^'), ("COMMA", ','), ("PIPE", '|'), ("SEMICOLON", ';'), ("TAB", '\t')]
    {
        for (ending, line) in [("LF", "\n"), ("CRLF", "\r\n")] {
            let mut body = job("insert", "Account");
            (body["columnDelimiter"], body["lineEnding"]) = (json!(name), json!(ending));
            let csv = format!("Name{mark}Phone{line}\"a{mark}b\"{mark}1{line}");
            let id = load(&acme, &token, body, &csv).await;
            let account = ids(&results(&acme, &token, &id, SUCCESSFUL).await).remove(0);
            let expected = format!(
                "\"sf__Id\"{mark}\"sf__Created\"{mark}Name{mark}Phone{line}\"{account}\"{mark}\"true\"{mark}\"a{mark}b\"{mark}\"1\"{line}"
            );
            assert_eq!(results(&acme, &token, &id, SUCCESSFUL).await, expected);
        }
    }
}

#[tokio::test]
async fn parents_are_named_by_a_field_of_theirs() {
    let (acme, token) = start().await;
    let made = accounts(&acme, &token, &["P-1"]).await;
    let csv =
        "LastName,Account.Customer_Number__c,Owner.Username\nLovelace,P-1,sam@acme.example\nHopper,P-9,\nNoether,,\n";
    let id = load(&acme, &token, job("insert", "Contact"), csv).await;
    let failed = results(&acme, &token, &id, FAILED).await;
    assert!(
        failed.contains(
            "INVALID_FIELD:Foreign key external ID: P-9 not found for field Customer_Number__c in entity Account:--"
        ),
        "{failed}"
    );
    let row = query(&acme, &token, "SELECT AccountId, Owner.Username FROM Contact WHERE LastName = 'Lovelace'").await;
    let row = &row["records"][0];
    assert_eq!(
        (row["AccountId"].as_str(), row["Owner"]["Username"].as_str()),
        (Some(made[0].as_str()), Some("sam@acme.example"))
    );
    let found = query(&acme, &token, "SELECT AccountId, Id FROM Contact WHERE LastName = 'Noether'").await;
    assert_eq!(found["records"][0]["AccountId"], Value::Null);

    let contact = query(&acme, &token, "SELECT Id FROM Contact WHERE LastName = 'Lovelace'").await;
    let contact = contact["records"][0]["Id"].as_str().unwrap().to_owned();
    let csv = format!("Id,Account.Customer_Number__c\n{contact},#N/A\n");
    load(&acme, &token, job("update", "Contact"), &csv).await;
    let found = query(&acme, &token, &format!("SELECT AccountId FROM Contact WHERE Id = '{contact}'")).await;
    assert_eq!(found["records"][0]["AccountId"], Value::Null);
}

#[tokio::test]
async fn a_parent_of_several_kinds_has_its_object_in_front() {
    let (acme, token) = start().await;
    load(&acme, &token, job("insert", "Lead"), "LastName,Company,Email\nTuring,Acme,turing@acme.example\n").await;
    let csv = "Subject,Lead:Who.Email\nCall,turing@acme.example\n";
    let id = load(&acme, &token, job("insert", "Task"), csv).await;
    assert_eq!(results(&acme, &token, &id, FAILED).await.lines().count(), 1);
    let found = query(&acme, &token, "SELECT Who.Type FROM Task WHERE Subject = 'Call'").await;
    assert_eq!(found["records"][0]["Who"]["Type"], "Lead", "{found}");
    let id = load(&acme, &token, job("insert", "Task"), "Subject,Account:Who.Name\nCall,x\n").await;
    assert_eq!(
        poll(&acme, &token, &id).await["errorMessage"],
        "InvalidBatch : Field name not found : Account:Who.Name"
    );
}

#[tokio::test]
async fn an_abort_takes_effect_between_batches() {
    let (acme, token) = start_with(|scenario| scenario.bulk.batch_rows = 2).await;
    let id = submit(&acme, &token, job("insert", "Account"), "Name\na\nb\nc\nd\ne\n").await;
    acme.emulator.control().step_jobs();
    acme.emulator.control().step_jobs();
    let body = poll(&acme, &token, &id).await;
    assert_eq!((body["state"].as_str(), body["numberRecordsProcessed"].as_u64()), (Some("InProgress"), Some(2)));
    assert_eq!(set_state(&acme, &token, &id, "Aborted").await.json()["state"], "Aborted");
    acme.emulator.control().step_jobs();
    assert_eq!(poll(&acme, &token, &id).await["numberRecordsProcessed"], 2);
    assert_eq!(results(&acme, &token, &id, SUCCESSFUL).await.lines().count(), 3);
    assert_eq!(results(&acme, &token, &id, UNPROCESSED).await, "Name\nc\nd\ne\n");
    let again = set_state(&acme, &token, &id, "Aborted").await;
    let expected = json!([{"errorCode": "INVALIDJOBSTATE", "message": "Aborting already Completed Job not allowed"}]);
    assert_eq!((again.status, again.json()), (400, expected));
    let done = submit(&acme, &token, job("insert", "Account"), "Name\na\nb\nc\n").await;
    (0..4).for_each(|_| acme.emulator.control().step_jobs());
    assert_eq!(poll(&acme, &token, &done).await["state"], "JobComplete");
    assert_eq!(set_state(&acme, &token, &done, "UploadComplete").await.code(), "INVALIDJOBSTATE");
}

#[tokio::test]
async fn an_open_job_ends_after_a_day_and_any_job_is_forgotten_after_seven() {
    let (acme, token) = start().await;
    let id = create(&acme, &token, job("insert", "Account")).await.json()["id"].as_str().unwrap().to_owned();
    put(&acme, &token, &id, "Name\nx\n").await;
    acme.emulator.control().advance(Duration::from_secs(86_400));
    let token = acme.sign_in_as_admin().await;
    assert_eq!(poll(&acme, &token, &id).await["state"], "Aborted");
    assert_eq!(results(&acme, &token, &id, UNPROCESSED).await, "Name\nx\n");
    acme.emulator.control().advance(Duration::from_secs(6 * 86_400));
    let token = acme.sign_in_as_admin().await;
    assert_eq!(acme.get(&format!("{JOBS}/{id}"), &token).await.status, 404);
}

#[tokio::test]
async fn a_job_and_its_content_come_in_one_request() {
    let (acme, token) = start().await;
    let send = async |content: &str| {
        let body = format!(
            "--b\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name=\"job\"\r\n\r\n\
             {{\"object\": \"Account\", \"operation\": \"insert\", \"contentType\": \"CSV\"}}\r\n\
             --b\r\nContent-Type: text/csv\r\nContent-Disposition: form-data; name=\"content\"; filename=\"content\"\r\n\r\n\
             {content}\r\n--b--\r\n"
        );
        let request = acme.request(Method::POST, JOBS, &token);
        let request = request.header("content-type", "multipart/form-data; boundary=b").body(body);
        Seen::of(request.send().await.unwrap()).await
    };
    let created = send("Name\nAcme\n").await;
    assert_eq!((created.status, created.json()["state"].as_str()), (200, Some("UploadComplete")), "{}", created.text);
    acme.emulator.control().step_jobs();
    acme.emulator.control().step_jobs();
    let id = created.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(poll(&acme, &token, &id).await["numberRecordsProcessed"], 1);
    let long = send(&format!("Name\n{}\n", "x".repeat(100_000))).await;
    assert_eq!((long.status, long.code().as_str()), (400, "CLIENTINPUTERROR"));
}

#[tokio::test]
async fn jobs_are_listed_by_kind_and_deleted_when_they_are_over() {
    let (acme, token) = start().await;
    let done = load(&acme, &token, job("insert", "Account"), "Name\nx\n").await;
    let open = create(&acme, &token, job("insert", "Account")).await.json()["id"].as_str().unwrap().to_owned();
    let soql = json!({"operation": "query", "query": "SELECT Id FROM Account"});
    let asked = acme.send(Method::POST, "/services/data/v60.0/jobs/query", &token, &soql).await;
    let asked = asked.json()["id"].as_str().unwrap().to_owned();
    let listed = async |path: &str| -> Vec<String> {
        let page = acme.get(path, &token).await.json();
        assert_eq!(page["done"], true);
        page["records"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(JOBS).await, [&done, &open, &asked].map(Clone::clone));
    assert_eq!(
        listed(&format!("{JOBS}?jobType=V2Ingest&concurrencyMode=parallel")).await,
        [&done, &open].map(Clone::clone)
    );
    assert_eq!(
        listed(&format!("{JOBS}?queryLocator={done}&isPkChunkingEnabled=false")).await,
        std::slice::from_ref(&open)
    );
    assert_eq!(listed("/services/data/v60.0/jobs/query").await, [asked]);

    let delete = async |id: &str| acme.send(Method::DELETE, &format!("{JOBS}/{id}"), &token, &json!({})).await;
    let refused = delete(&open).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "API_ERROR"));
    assert_eq!(delete(&done).await.status, 204);
    assert_eq!(acme.get(&format!("{JOBS}/{done}"), &token).await.status, 404);
    set_state(&acme, &token, &open, "Aborted").await;
    assert_eq!(delete(&open).await.status, 204);
    let sam = acme.sign_in_as("sam@acme.example", "sams-passwordTokenOfSam").await;
    let id = load(&acme, &token, job("insert", "Account"), "Name\nx\n").await;
    assert_eq!(acme.get(&format!("{JOBS}/{id}"), &sam).await.status, 404, "jobs of others do not exist");
}

#[tokio::test]
async fn results_are_compressed_only_for_exactly_gzip() {
    let (acme, token) = start().await;
    let csv = format!("Name\n{}", "the same name again and again\n".repeat(200));
    let id = load(&acme, &token, job("insert", "Account"), &csv).await;
    let client = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let ask = async |encoding: &str| {
        let request = client.get(acme.url(&format!("{JOBS}/{id}/{SUCCESSFUL}"))).bearer_auth(&token);
        request.header("accept-encoding", encoding).send().await.unwrap()
    };
    assert!(!ask("gzip, deflate").await.headers().contains_key("content-encoding"));
    assert_eq!(ask("gzip").await.headers()["content-encoding"], "gzip");
}

#[tokio::test]
async fn a_job_runs_by_itself_and_what_it_loads_is_read_back() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let rows: String = (0..1500).map(|row| format!("Bulk {row},B-{row}\n")).collect();
    let id =
        submit(&acme, &token, upsert("Account", "Customer_Number__c"), &format!("Name,Customer_Number__c\n{rows}"))
            .await;
    let done = async {
        while poll(&acme, &token, &id).await["state"] != "JobComplete" {
            tokio::task::yield_now().await;
        }
    };
    in_time("the job", done).await;
    assert_eq!(poll(&acme, &token, &id).await["numberRecordsFailed"], 0);
    let found = query(&acme, &token, "SELECT COUNT() FROM Account WHERE Customer_Number__c LIKE 'B-%'").await;
    assert_eq!(found["totalSize"], 1500);
}

#[tokio::test]
async fn only_an_opaque_session_of_the_api_may_load() {
    let (acme, _) = start().await;
    let sam = acme.sign_in_as("sam@acme.example", "sams-passwordTokenOfSam").await;
    let id = load(&acme, &sam, job("insert", "Account"), "Name,AnnualRevenue\nx,1\n").await;
    let message = "InvalidBatch : Field name not found : AnnualRevenue";
    assert_eq!(poll(&acme, &sam, &id).await["errorMessage"], message, "a hidden field does not exist");
    let account =
        query(&acme, &sam, "SELECT Id FROM Account LIMIT 1").await["records"][0]["Id"].as_str().unwrap().to_owned();
    let id = load(&acme, &sam, job("delete", "Account"), &format!("Id\n{account}\n")).await;
    let failed = results(&acme, &sam, &id, FAILED).await;
    assert!(failed.contains("INSUFFICIENT_ACCESS_OR_READONLY"), "{failed}");
    let refused = create(&acme, &sam, job("insert", "Lead")).await;
    assert_eq!(refused.json()[0]["message"], "Unable to find object: Lead");
}
