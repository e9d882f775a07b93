//! Bulk API 1.0.

use std::time::Duration;

use emulator::scenario::{Advance, Scenario};
use emulator::{Effect, Fault};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen, in_time};

const JOB: &str = "/services/async/60.0/job";
const XML: &str = "application/xml; charset=UTF-8";
const CSV: &str = "text/csv; charset=UTF-8";
const JSON: &str = "application/json";
const NAMESPACE: &str = "xmlns=\"http://www.force.com/2009/06/asyncapi/dataload\"";

/// An org whose jobs move by steps, and a session of it.
struct Org {
    acme: Acme,
    session: String,
}

impl Org {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut Scenario)) -> Self {
        let acme = Acme::start_with(|scenario| {
            scenario.bulk.advance = Advance::Step;
            change(scenario);
        })
        .await;
        let session = acme.sign_in_as_admin().await;
        Self { acme, session }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.acme.http.request(method, self.acme.url(path)).header("x-sfdc-session", &self.session)
    }

    async fn post(&self, path: &str, media: &str, body: impl Into<reqwest::Body>) -> Seen {
        Seen::of(self.request(Method::POST, path).header("content-type", media).body(body).send().await.unwrap()).await
    }

    async fn get(&self, path: &str) -> Seen {
        Seen::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    /// The id of a job made from XML elements.
    async fn job(&self, elements: &str) -> String {
        let created = self.post(JOB, XML, format!("<jobInfo {NAMESPACE}>{elements}</jobInfo>")).await;
        assert_eq!(created.status, 201, "{}", created.text);
        element(&created.text, "id")
    }

    async fn batch(&self, job: &str, media: &str, body: &str) -> String {
        let created = self.post(&format!("{JOB}/{job}/batch"), media, body.to_owned()).await;
        assert_eq!(created.status, 201, "{}", created.text);
        if created.text.starts_with('{') {
            return created.json()["id"].as_str().unwrap().to_owned();
        }
        element(&created.text, "id")
    }

    fn step(&self) {
        self.acme.emulator.control().step_jobs();
        self.acme.emulator.control().step_jobs();
    }

    /// The path of a batch that has been worked on.
    async fn worked(&self, job: &str, media: &str, body: &str) -> String {
        let batch = self.batch(job, media, body).await;
        self.step();
        format!("{JOB}/{job}/batch/{batch}")
    }

    async fn query(&self, soql: &str) -> Value {
        let request = self.acme.request(Method::GET, "/services/data/v60.0/query", &self.session);
        Seen::of(request.query(&[("q", soql)]).send().await.unwrap()).await.json()
    }
}

/// The text of the first element of this name.
fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name}: {xml}"));
    rest.split_once("</").unwrap().0.to_owned()
}

fn error(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><error {NAMESPACE}><exceptionCode>{code}</exceptionCode>\
         <exceptionMessage>{message}</exceptionMessage></error>"
    )
}

const INSERT: &str = "<operation>insert</operation><object>Account</object><contentType>CSV</contentType>";

#[tokio::test]
async fn a_job_in_xml_goes_through_its_states_and_counts_its_batches() {
    let org = Org::start().await;
    let created = org.post(JOB, XML, format!("<?xml version=\"1.0\"?><jobInfo {NAMESPACE}>{INSERT}</jobInfo>")).await;
    assert_eq!((created.status, created.header("content-type")), (201, "application/xml"));
    let (job, user) = (element(&created.text, "id"), element(&created.text, "createdById"));
    assert!(job.starts_with("750") && user.starts_with("005"));
    let info = |state: &str, [queued, running, done, total, processed, failed]: [u64; 6]| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><jobInfo {NAMESPACE}><id>{job}</id><operation>insert</operation>\
             <object>Account</object><createdById>{user}</createdById><createdDate>2026-11-21T09:00:00.000Z</createdDate>\
             <systemModstamp>2026-11-21T09:00:00.000Z</systemModstamp><state>{state}</state>\
             <concurrencyMode>Parallel</concurrencyMode><contentType>CSV</contentType>\
             <numberBatchesQueued>{queued}</numberBatchesQueued><numberBatchesInProgress>{running}</numberBatchesInProgress>\
             <numberBatchesCompleted>{done}</numberBatchesCompleted><numberBatchesFailed>0</numberBatchesFailed>\
             <numberBatchesTotal>{total}</numberBatchesTotal><numberRecordsProcessed>{processed}</numberRecordsProcessed>\
             <numberRetries>0</numberRetries><apiVersion>60.0</apiVersion><numberRecordsFailed>{failed}</numberRecordsFailed>\
             <totalProcessingTime>T</totalProcessingTime><apiActiveProcessingTime>T</apiActiveProcessingTime>\
             <apexProcessingTime>0</apexProcessingTime></jobInfo>"
        )
    };
    let seen = async || {
        let text = org.get(&format!("{JOB}/{job}")).await.text;
        let time = element(&text, "totalProcessingTime");
        text.replace(&format!("ProcessingTime>{time}</t"), "ProcessingTime>T</t")
            .replace(&format!("ProcessingTime>{time}</api"), "ProcessingTime>T</api")
    };
    assert_eq!(seen().await, info("Open", [0, 0, 0, 0, 0, 0]));

    let batch = org.post(&format!("{JOB}/{job}/batch"), CSV, "Name,Phone\nAcme,1\n,2\n").await;
    assert_eq!((batch.status, element(&batch.text, "state")), (201, "Queued".to_owned()));
    assert!(element(&batch.text, "id").starts_with("751") && element(&batch.text, "jobId") == job);
    let batch = format!("{JOB}/{job}/batch/{}", element(&batch.text, "id"));
    assert_eq!(seen().await, info("Open", [1, 0, 0, 1, 0, 0]));
    assert_eq!(org.get(&format!("{batch}/result")).await.text, error("InvalidBatch", "Batch not completed"));
    org.acme.emulator.control().step_jobs();
    assert_eq!(seen().await, info("Open", [0, 1, 0, 1, 0, 0]));
    org.acme.emulator.control().step_jobs();
    assert_eq!(seen().await, info("Open", [0, 0, 1, 1, 2, 1]));

    let closed =
        org.post(&format!("{JOB}/{job}"), XML, format!("<jobInfo {NAMESPACE}><state>Closed</state></jobInfo>")).await;
    assert_eq!((closed.status, element(&closed.text, "state")), (200, "Closed".to_owned()));
    let late = org.post(&format!("{JOB}/{job}/batch"), CSV, "Name\nx\n").await;
    assert_eq!(late.status, 400);
    assert!(late.text.contains("<exceptionCode>InvalidJobState</exceptionCode>"), "{}", late.text);
    let again =
        org.post(&format!("{JOB}/{job}"), XML, format!("<jobInfo {NAMESPACE}><state>Closed</state></jobInfo>")).await;
    assert!(again.text.contains("InvalidJobState"), "{}", again.text);

    let info = org.get(&batch).await.text;
    assert_eq!(
        (element(&info, "state"), element(&info, "numberRecordsFailed")),
        ("Completed".to_owned(), "1".to_owned())
    );
    let echoed = org.get(&format!("{batch}/request")).await;
    assert_eq!((echoed.text.as_str(), echoed.header("content-type")), ("Name,Phone\nAcme,1\n,2\n", CSV));
    let result = org.get(&format!("{batch}/result")).await;
    assert_eq!(result.header("content-type"), "text/csv");
    let lines: Vec<&str> = result.text.lines().collect();
    assert_eq!(lines[0], "\"Id\",\"Success\",\"Created\",\"Error\"");
    assert!(lines[1].starts_with("\"001") && lines[1].ends_with("\",\"true\",\"true\",\"\""), "{}", lines[1]);
    assert_eq!(
        lines[2],
        "\"\",\"false\",\"false\",\"REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --\""
    );
    let list = org.get(&format!("{JOB}/{job}/batch")).await.text;
    assert!(list.contains("<batchInfoList") && list.matches("<batchInfo>").count() == 1, "{list}");
}

#[tokio::test]
async fn a_job_in_json_speaks_json_throughout() {
    let org = Org::start().await;
    let body = json!({"operation": "upsert", "object": "Account", "contentType": "JSON", "externalIdFieldName": "Customer_Number__c"});
    let created = org.post(JOB, JSON, body.to_string()).await;
    let mut info = created.json();
    let job = info["id"].as_str().unwrap().to_owned();
    let user = info["createdById"].take();
    let expected = json!({
        "id": job, "operation": "upsert", "object": "Account", "createdById": null, "state": "Open",
        "createdDate": "2026-11-21T09:00:00.000+0000", "systemModstamp": "2026-11-21T09:00:00.000+0000",
        "externalIdFieldName": "Customer_Number__c", "concurrencyMode": "Parallel", "contentType": "JSON",
        "numberBatchesQueued": 0, "numberBatchesInProgress": 0, "numberBatchesCompleted": 0, "numberBatchesFailed": 0,
        "numberBatchesTotal": 0, "numberRecordsProcessed": 0, "numberRecordsFailed": 0, "numberRetries": 0,
        "apiVersion": 60.0, "assignmentRuleId": null, "fastPathEnabled": false, "totalProcessingTime": 0,
        "apiActiveProcessingTime": 0, "apexProcessingTime": 0,
    });
    assert_eq!((created.status, created.header("content-type")), (201, "application/json"));
    assert_eq!((&info, user.is_string()), (&expected, true));
    assert!(created.text.contains("\"apiVersion\":60.0"));
    let rows = json!([
        {"attributes": {"type": "Account"}, "Name": "One", "Customer_Number__c": "J-1", "NumberOfEmployees": 7, "Phone": null},
        {"Name": "Two", "Customer_Number__c": "J-2", "Parent": {"Customer_Number__c": "J-1"}},
        {"Name": "Three"},
    ]);
    let batch = org.worked(&job, JSON, &rows.to_string()).await;
    let state = org.get(&batch).await.json();
    assert_eq!((&state["state"], &state["stateMessage"]), (&json!("Completed"), &Value::Null));
    let result = org.get(&format!("{batch}/result")).await.json();
    let id = result[0]["id"].as_str().unwrap();
    assert_eq!(result[0], json!({"success": true, "created": true, "id": id, "errors": []}));
    let error = json!({
        "message": "Customer_Number__c not specified", "fields": ["Customer_Number__c"], "statusCode": "MISSING_ARGUMENT",
        "extendedErrorDetails": null,
    });
    assert_eq!(result[2], json!({"success": false, "created": false, "id": null, "errors": [error]}));
    let found = org.query("SELECT ParentId FROM Account WHERE Customer_Number__c = 'J-2'").await;
    assert_eq!(found["records"][0]["ParentId"], id);
    let list = org.get(&format!("{JOB}/{job}/batch")).await.json();
    assert_eq!(list["batchInfo"][0]["jobId"], job.as_str());
    let wrong = org.get(&format!("{JOB}/{job}/batch/751000000000000AAA")).await.json();
    assert_eq!(wrong["exceptionCode"], "InvalidBatch");
    let closed = org.post(&format!("{JOB}/{job}"), JSON, json!({"state": "Closed"}).to_string()).await.json();
    assert_eq!(closed["state"], "Closed");
}

#[tokio::test]
async fn rows_in_xml_have_parents_and_nulls_and_get_results_in_xml() {
    let org = Org::start().await;
    let csv = org.job(INSERT).await;
    org.worked(&csv, CSV, "Name,Customer_Number__c\r\nAcme,X-1\r\n").await;
    let job = org.job("<operation>insert</operation><object>Contact</object><contentType>XML</contentType>").await;
    let rows = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><sObjects {NAMESPACE} \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <sObject><LastName>Lovelace</LastName><Phone xsi:nil=\"true\"/><Description></Description>\
         <Account><sObject><Customer_Number__c>X-1</Customer_Number__c></sObject></Account></sObject>\
         <sObject><LastName>A &amp; B</LastName><Birthdate>never</Birthdate></sObject></sObjects>"
    );
    let batch = org.worked(&job, XML, &rows).await;
    let result = org.get(&format!("{batch}/result")).await;
    assert_eq!(result.header("content-type"), "application/xml");
    let id = element(&result.text, "id");
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><results {NAMESPACE}><result><id>{id}</id><success>true</success>\
         <created>true</created></result><result><errors><fields>Birthdate</fields><message>Failed to deserialize field at \
         col 1. Due to, 'never' is not a valid value for the type xsd:date</message><statusCode>INVALID_FIELD</statusCode>\
         </errors><success>false</success><created>false</created></result></results>"
    );
    assert_eq!(result.text, expected);
    let found = org.query(&format!("SELECT Account.Name FROM Contact WHERE Id = '{id}'")).await;
    assert_eq!(found["records"][0]["Account"]["Name"], "Acme");
}

#[tokio::test]
async fn every_operation_on_rows_works() {
    let org = Org::start_with(|scenario| {
        scenario.profiles.values_mut().for_each(|profile| profile.bulk_hard_delete = true);
    })
    .await;
    let run = async |operation: &str, extra: &str, csv: String| {
        let job = org
            .job(&format!(
                "<operation>{operation}</operation><object>Account</object>{extra}<contentType>CSV</contentType>"
            ))
            .await;
        let batch = org.worked(&job, CSV, &csv).await;
        org.get(&format!("{batch}/result")).await.text
    };
    let key = "<externalIdFieldName>Customer_Number__c</externalIdFieldName>";
    let made = run("upsert", key, "Customer_Number__c,Name\nO-1,One\nO-2,Two\n".to_owned()).await;
    let ids: Vec<&str> = made.lines().skip(1).map(|line| &line[1..19]).collect();
    let updated = run("update", "", format!("Id,Name\n{},Changed\n", ids[0])).await;
    assert!(updated.contains("\"true\",\"false\",\"\""), "{updated}");
    assert!(run("delete", "", format!("Id\n{}\n", ids[0])).await.contains(&format!("\"{}\",\"true\"", ids[0])));
    assert!(run("hardDelete", "", format!("Id\n{}\n", ids[1])).await.contains(&format!("\"{}\",\"true\"", ids[1])));
    let left = org.query("SELECT Id FROM Account WHERE Customer_Number__c LIKE 'O-%'").await;
    assert_eq!(left["totalSize"], 0);
}

#[tokio::test]
async fn a_query_gives_its_records_in_the_format_of_the_job() {
    let org = Org::start().await;
    let insert = org.job("<operation>insert</operation><object>Contact</object><contentType>CSV</contentType>").await;
    org.worked(&insert, CSV, "LastName,Phone,Birthdate\nBulk & Co,1,2001-02-03\n").await;
    let soql = "SELECT LastName, Phone, Email, Birthdate, Owner.Username, Account.Name FROM Contact WHERE LastName LIKE 'Bulk%'";
    let run = async |format: &str, media: &str, soql: &str| {
        let job = org
            .job(&format!("<operation>query</operation><object>Contact</object><contentType>{format}</contentType>"))
            .await;
        let batch = org.worked(&job, media, soql).await;
        let list = org.get(&format!("{batch}/result")).await;
        let id = match format {
            "JSON" => list.json()[0].as_str().unwrap().to_owned(),
            _ => element(&list.text, "result"),
        };
        assert!(id.starts_with("752") && id.len() == 15, "{}", list.text);
        org.get(&format!("{batch}/result/{id}")).await
    };
    let csv = run("CSV", CSV, soql).await;
    assert_eq!(csv.header("content-type"), "text/csv");
    assert_eq!(
        csv.text,
        "\"LastName\",\"Phone\",\"Email\",\"Birthdate\",\"Owner.Username\",\"Account.Name\"\n\
         \"Bulk & Co\",\"1\",,\"2001-02-03\",\"admin@acme.example\",\n"
    );
    let xml = run("XML", XML, soql).await.text;
    assert_eq!(
        xml,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><queryResult {NAMESPACE} \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><records xsi:type=\"sObject\"><type>Contact</type>\
             <LastName>Bulk &amp; Co</LastName><Phone>1</Phone><Email xsi:nil=\"true\"/><Birthdate>2001-02-03</Birthdate>\
             <Owner xsi:type=\"sObject\"><Username>admin@acme.example</Username></Owner><Account xsi:nil=\"true\"/>\
             </records></queryResult>"
        )
    );
    let json = run("JSON", JSON, soql).await.json();
    assert_eq!((json[0]["LastName"].as_str(), &json[0]["Birthdate"]), (Some("Bulk & Co"), &json!(981_158_400_000_u64)));
    assert_eq!(json[0]["attributes"]["type"], "Contact");
    assert_eq!((&json[0]["Account"], &json[0]["Owner"]["Username"]), (&Value::Null, &json!("admin@acme.example")));

    let nothing = "SELECT Id FROM Contact WHERE LastName = 'nobody at all'";
    assert_eq!(run("CSV", CSV, nothing).await.text, "Records not found for this query");
    assert_eq!(run("JSON", JSON, nothing).await.text, "[]");
}

#[tokio::test]
async fn deleted_rows_are_found_by_query_all_alone() {
    let org = Org::start().await;
    let soql = "SELECT Id FROM Contact";
    let some = org.query("SELECT Id FROM Contact LIMIT 1").await["records"][0]["Id"].as_str().unwrap().to_owned();
    org.acme
        .send(Method::DELETE, &format!("/services/data/v60.0/sobjects/Contact/{some}"), &org.session, &json!({}))
        .await;
    let mut counts = Vec::new();
    for operation in ["query", "queryAll"] {
        let job = org
            .job(&format!("<operation>{operation}</operation><object>Contact</object><contentType>CSV</contentType>"))
            .await;
        let batch = org.worked(&job, CSV, soql).await;
        let info = org.get(&batch).await.text;
        counts.push(element(&info, "numberRecordsProcessed").parse::<u64>().unwrap());
    }
    assert!(counts[1] > counts[0], "{counts:?}");
    assert_eq!(org.query("SELECT COUNT() FROM Contact").await["totalSize"], counts[0]);
}

#[tokio::test]
async fn what_cannot_be_queried_fails_the_batch_with_its_reason() {
    let org = Org::start().await;
    let job = org.job("<operation>query</operation><object>Account</object><contentType>CSV</contentType>").await;
    for (soql, message) in [
        (
            "SELECT BillingAddress FROM Account",
            "InvalidBatch : Failed to process query: FUNCTIONALITY_NOT_ENABLED: Selecting compound data not supported in Bulk Query",
        ),
        ("SELECT Nope FROM Account", "InvalidBatch : Failed to process query: INVALID_FIELD: "),
        ("not a query", "InvalidBatch : Failed to process query: MALFORMED_QUERY: "),
    ] {
        let batch = org.worked(&job, CSV, soql).await;
        let info = org.get(&batch).await.text;
        assert_eq!(element(&info, "state"), "Failed");
        assert!(element(&info, "stateMessage").starts_with(message), "{info}");
        assert!(org.get(&format!("{batch}/result")).await.text.contains("<exceptionCode>InvalidBatch</exceptionCode>"));
    }
}

#[tokio::test]
async fn pk_chunking_makes_a_batch_for_each_range_of_ids() {
    let org = Org::start().await;
    let create = |header: &str, soql: &str| {
        let request = org.request(Method::POST, JOB).header("content-type", XML);
        let request = request.header("sforce-enable-pkchunking", header.to_owned());
        let body = format!(
            "<jobInfo {NAMESPACE}><operation>queryAll</operation><object>Contact</object><contentType>CSV</contentType></jobInfo>"
        );
        let (org, soql) = (&org, soql.to_owned());
        async move {
            let created = Seen::of(request.body(body).send().await.unwrap()).await;
            assert_eq!(created.status, 201, "{}", created.text);
            let job = element(&created.text, "id");
            org.batch(&job, CSV, &soql).await;
            org.step();
            org.step();
            job
        }
    };
    let job = create("chunkSize=100", "SELECT Id FROM Contact WHERE LastName != null").await;
    let list = org.get(&format!("{JOB}/{job}/batch")).await.text;
    let batches: Vec<&str> = list.split("<batchInfo>").skip(1).collect();
    let total = org.get(&format!("{JOB}/{job}")).await.text;
    assert_eq!(element(&total, "numberBatchesTotal"), batches.len().to_string());
    assert_eq!(element(batches[0], "state"), "NotProcessed");
    assert!(batches.len() > 2);
    let mut rows = 0;
    for batch in &batches[1..] {
        assert_eq!(element(batch, "state"), "Completed", "{batch}");
        rows += element(batch, "numberRecordsProcessed").parse::<u64>().unwrap();
    }
    let request = org.get(&format!("{JOB}/{job}/batch/{}/request", element(batches[1], "id"))).await.text;
    assert_eq!(
        request,
        "SELECT Id FROM Contact WHERE (LastName != null) AND Id >= 003gL0000000001 AND Id < 003gL000000001d"
    );
    let all = org.acme.request(Method::GET, "/services/data/v60.0/queryAll", &org.session);
    let all = all.query(&[("q", "SELECT COUNT() FROM Contact WHERE LastName != null")]).send().await.unwrap();
    assert_eq!(Seen::of(all).await.json()["totalSize"], rows);

    let job = create("TRUE", "SELECT Id FROM Contact ORDER BY LastName LIMIT 5").await;
    let list = org.get(&format!("{JOB}/{job}/batch")).await.text;
    assert_eq!((list.matches("<batchInfo>").count(), element(&list, "state")), (1, "Completed".to_owned()));
    let listed = org
        .acme
        .get("/services/data/v60.0/jobs/ingest?isPkChunkingEnabled=true&jobType=Classic", &org.session)
        .await
        .json();
    assert_eq!(listed["records"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn serial_jobs_work_on_one_batch_after_the_other_and_an_abort_leaves_the_rest() {
    let org = Org::start().await;
    let job = org.job(&format!("{INSERT}<concurrencyMode>Serial</concurrencyMode>")).await;
    let mut batches = Vec::new();
    for name in ["a", "b", "c"] {
        batches.push(format!("{JOB}/{job}/batch/{}", org.batch(&job, CSV, &format!("Name\n{name}\n")).await));
    }
    org.step();
    org.acme.emulator.control().step_jobs();
    let states = async || {
        let mut states = Vec::new();
        for batch in &batches {
            states.push(element(&org.get(batch).await.text, "state"));
        }
        states
    };
    assert_eq!(states().await, ["Completed", "InProgress", "Queued"]);
    let aborted =
        org.post(&format!("{JOB}/{job}"), XML, format!("<jobInfo {NAMESPACE}><state>Aborted</state></jobInfo>")).await;
    assert_eq!(element(&aborted.text, "state"), "Aborted");
    org.step();
    assert_eq!(states().await, ["Completed", "NotProcessed", "NotProcessed"]);
}

#[tokio::test]
async fn what_cannot_become_a_job_or_a_batch_is_refused() {
    let org = Org::start_with(|scenario| scenario.limits.daily_bulk_batches = 1).await;
    let job = |elements: &str| format!("<jobInfo {NAMESPACE}>{elements}</jobInfo>");
    for (body, code) in [
        (job("<operation>insert</operation><object>Nope</object>"), "InvalidJob"),
        (job("<operation>insert</operation><object>CaseStatus</object>"), "InvalidEntity"),
        (job("<operation>query</operation><object>CaseStatus</object>"), "InvalidEntity"),
        (job("<operation>upsert</operation><object>Account</object>"), "InvalidJob"),
        (job("<operation>hardDelete</operation><object>Account</object>"), "FeatureNotEnabled"),
        (job("<operation>explode</operation><object>Account</object>"), "InvalidOperation"),
        (job("<operation>insert</operation>"), "InvalidJob"),
        (
            job("<operation>insert</operation><object>Account</object><contentType>ZIP_CSV</contentType>"),
            "FeatureNotEnabled",
        ),
        ("<jobInfo".to_owned(), "InvalidXML"),
    ] {
        let refused = org.post(JOB, XML, body).await;
        assert_eq!((refused.status, element(&refused.text, "exceptionCode").as_str()), (400, code), "{}", refused.text);
    }
    let csv = org.job(INSERT).await;
    let batches = format!("{JOB}/{csv}/batch");
    let code = async |media: &str, body: String| element(&org.post(&batches, media, body).await.text, "exceptionCode");
    assert_eq!(code(XML, "<sObjects/>".to_owned()).await, "InvalidBatch");
    assert_eq!(code(CSV, "x".repeat(10_000_001)).await, "ClientInputError");
    let empty = org.post(&batches, CSV, "\n").await;
    assert_eq!(empty.text, error("ClientInputError", "Unable to find any data to create batch"));
    let many = format!("Name\n{}", "x\n".repeat(10_001));
    let batch = org.worked(&csv, CSV, &many).await;
    assert!(org.get(&batch).await.text.contains("more than 10000 records"));
    let over = org.post(&batches, CSV, "Name\nx\n").await;
    assert_eq!(over.text, error("ExceededQuota", "ApiBatchItems Limit exceeded."));
    let typo = Org::start().await;
    let job = typo.job(INSERT).await;
    let batch = typo.worked(&job, CSV, "Nope\nx\n").await;
    let info = typo.get(&batch).await.text;
    assert_eq!(element(&info, "stateMessage"), "InvalidBatch : Field name not found : Nope");

    assert_eq!(element(&org.get(&format!("{JOB}/750000000000000AAA")).await.text, "exceptionCode"), "InvalidJob");
    assert_eq!(element(&org.get("/services/async/60.0/jobs").await.text, "exceptionCode"), "InvalidUrl");
    assert_eq!(element(&org.get(&format!("{JOB}/{csv}/spec")).await.text, "exceptionCode"), "FeatureNotEnabled");
}

#[tokio::test]
async fn a_wrong_session_or_version_is_told_in_the_format_of_the_request() {
    let org = Org::start().await;
    let ask = async |path: &str, media: &str, session: Option<&str>| {
        let mut request = org.acme.http.post(org.acme.url(path)).header("content-type", media).body("{}");
        if let Some(session) = session {
            request = request.header("x-sfdc-session", session);
        }
        Seen::of(request.send().await.unwrap()).await
    };
    let invalid = ask(JOB, XML, Some("wrong")).await;
    assert_eq!((invalid.status, invalid.text), (400, error("InvalidSessionId", "Invalid session id")));
    let none = ask(JOB, JSON, None).await.json();
    assert_eq!(none, json!({"exceptionCode": "InvalidSessionId", "exceptionMessage": "Unable to find session id"}));
    let version = ask("/services/async/20.0/job", JSON, Some(&org.session)).await.json();
    assert_eq!(version["exceptionCode"], "InvalidVersion");
    let off = Org::start_with(|scenario| scenario.bulk.enabled = false).await;
    let refused = off.post(JOB, XML, "<jobInfo/>").await;
    assert_eq!(refused.text, error("FeatureNotEnabled", "Async API not enabled"));
}

#[tokio::test]
async fn a_compressed_batch_is_unpacked() {
    let org = Org::start().await;
    let job = org.job(INSERT).await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, b"Name\nPacked\n").unwrap();
    let request = org.request(Method::POST, &format!("{JOB}/{job}/batch")).header("content-type", CSV);
    let request = request.header("content-encoding", "gzip").body(encoder.finish().unwrap());
    let created = Seen::of(request.send().await.unwrap()).await;
    assert_eq!(created.status, 201, "{}", created.text);
    org.step();
    let batch = format!("{JOB}/{job}/batch/{}", element(&created.text, "id"));
    assert_eq!(org.get(&format!("{batch}/request")).await.text, "Name\nPacked\n");
    assert_eq!(element(&org.get(&batch).await.text, "numberRecordsProcessed"), "1");
}

#[tokio::test]
async fn faults_strike_batches_and_jobs() {
    let org = Org::start().await;
    let control = org.acme.emulator.control();
    let on_batch = "POST /services/async/{version}/job/{id}/batch";
    let struck = async |effect: Effect| {
        control.push_fault(Fault::next(on_batch, effect));
        let job = org.job(INSERT).await;
        (org.worked(&job, CSV, "Name\na\nb\n").await, job)
    };
    let state = async |path: &str| element(&org.get(path).await.text, "state");
    let (stuck, _) = struck(Effect::StuckJob).await;
    org.step();
    assert_eq!(state(&stuck).await, "InProgress");
    let (slow, _) = struck(Effect::SlowJob { seconds: 60 }).await;
    assert_eq!(state(&slow).await, "InProgress");
    control.advance(Duration::from_secs(61));
    org.step();
    assert_eq!(state(&slow).await, "Completed");
    let (failed, _) = struck(Effect::FailedJob { message: "Tried more than thirty times".into() }).await;
    assert_eq!(element(&org.get(&failed).await.text, "stateMessage"), "Tried more than thirty times");
    let locked = Effect::FailedRows { rows: 1, code: "UNABLE_TO_LOCK_ROW".into(), message: "locked".into() };
    let (rows, _) = struck(locked).await;
    assert!(org.get(&format!("{rows}/result")).await.text.contains("UNABLE_TO_LOCK_ROW:locked:--"));
    let (half, _) = struck(Effect::HalfDoneJob { after: 1, message: "TooManyLockFailure : x".into() }).await;
    let info = org.get(&half).await.text;
    assert_eq!((element(&info, "state"), element(&info, "numberRecordsProcessed")), ("Failed".into(), "1".into()));
    assert_eq!(org.get(&format!("{half}/result")).await.text.lines().count(), 2, "what was processed has its result");
    let failing = Effect::FailedJob { message: "Unknown : x".into() };
    for (effect, state_of_job) in [(Effect::AbortedJob, "Aborted"), (failing, "Failed")] {
        control.push_fault(Fault::next("POST /services/async/{version}/job", effect));
        let job = org.job(INSERT).await;
        let batch = org.worked(&job, CSV, "Name\na\n").await;
        assert_eq!(
            (state(&batch).await, state(&format!("{JOB}/{job}")).await),
            ("NotProcessed".into(), state_of_job.into())
        );
    }
    let job = org.job(INSERT).await;
    control.push_fault(Fault::next("GET /services/async/{version}/job/{id}", Effect::ExpiredJob));
    for _ in 0..2 {
        assert_eq!(element(&org.get(&format!("{JOB}/{job}")).await.text, "exceptionCode"), "InvalidJob");
    }
    assert!(control.unused_faults().is_empty());
}

#[tokio::test]
async fn batches_run_by_themselves() {
    let org = Org::start_with(|scenario| scenario.bulk.advance = Advance::Auto).await;
    let job = org.job(INSERT).await;
    let batch = format!("{JOB}/{job}/batch/{}", org.batch(&job, CSV, "Name\na\n").await);
    let done = async {
        while element(&org.get(&batch).await.text, "state") != "Completed" {
            tokio::task::yield_now().await;
        }
    };
    in_time("the batch", done).await;
    org.acme.emulator.control().advance(Duration::from_secs(86_400));
    let session = org.acme.sign_in_as_admin().await;
    let later = Org { acme: org.acme, session };
    assert_eq!(
        element(&later.get(&format!("{JOB}/{job}")).await.text, "state"),
        "Aborted",
        "an open job ends after a day"
    );
}
