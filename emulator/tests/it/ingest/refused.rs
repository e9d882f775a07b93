//! Jobs, uploads and rows that are refused, and what faults do to them.

use std::time::Duration;

use emulator::{Effect, Fault};
use reqwest::Method;
use serde_json::json;

use super::{
    FAILED, JOBS, SUCCESSFUL, UNPROCESSED, create, job, load, poll, put, query, results, set_state, start, start_with,
    submit, upsert,
};
use crate::client::Seen;

#[tokio::test]
async fn what_is_wrong_with_the_file_fails_the_job() {
    let (acme, token) = start().await;
    let long_header = format!("Name,{}\n", "x".repeat(32_000));
    for (csv, message) in [
        ("Name,Phne\nx,1\n", "InvalidBatch : Field name not found : Phne"),
        ("\u{feff}Name\nx\n", "InvalidBatch : Field name not found : \u{feff}Name"),
        ("Name, Phone\nx,1\n", "InvalidBatch : Field name not found :  Phone"),
        ("Name,Account.Name\nx,1\n", "InvalidBatch : Field name not found : Account.Name"),
        ("Name,name\nx,1\n", "InvalidBatch : Duplicate field name : name"),
        ("Name\r\nx\r\n", "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"),
        (&long_header, "InvalidBatch : The header has more than 32000 characters"),
    ] {
        let id = load(&acme, &token, job("insert", "Account"), csv).await;
        let body = poll(&acme, &token, &id).await;
        assert_eq!((body["state"].as_str(), body["errorMessage"].as_str()), (Some("Failed"), Some(message)));
        assert_eq!((&body["numberRecordsProcessed"], &body["numberRecordsFailed"]), (&json!(0), &json!(0)));
        assert_eq!(results(&acme, &token, &id, UNPROCESSED).await, csv, "nothing of it was looked at");
        assert_eq!(results(&acme, &token, &id, FAILED).await, "\"sf__Id\",\"sf__Error\"\n");
    }
    let id = load(&acme, &token, job("insert", "Account"), "").await;
    let body = poll(&acme, &token, &id).await;
    assert_eq!((&body["state"], &body["numberRecordsProcessed"]), (&json!("JobComplete"), &json!(0)), "{body}");
    let csv = "Name,Phone\nfirst,1\n\"John\", \"Smith\"\nlast,1\n";
    let id = load(&acme, &token, job("insert", "Account"), csv).await;
    let body = poll(&acme, &token, &id).await;
    assert_eq!((body["state"].as_str(), body["numberRecordsProcessed"].as_u64()), (Some("Failed"), Some(1)));
    assert!(body["errorMessage"].as_str().unwrap().contains("row 3"), "{body}");
    assert_eq!(results(&acme, &token, &id, UNPROCESSED).await, "Name,Phone\n\"John\", \"Smith\"\nlast,1\n");
}

#[tokio::test]
async fn what_is_wrong_with_a_row_fails_that_row() {
    let (acme, token) = start().await;
    let header = "Text__c,Paid__c,Count__c,Amount__c,Due_Date__c,Sent_At__c,Pickup_Time__c,Status__c";
    let good = "ok,TRUE,5,1.5E2,2026-11-21,2026-11-21T10:00:00.000Z,10:15:00.000Z,Paid";
    let wide = format!("\"{}\",,,,,,,", "x".repeat(131_073));
    let rows = [
        (good, ""),
        ("ragged,1", "INVALID_FIELD:The row has 2 columns, the header has 8:--"),
        (
            "x,maybe,,,,,,",
            "INVALID_FIELD:Failed to deserialize field at col 1. Due to, 'maybe' is not a valid value for the type xsd:boolean:Paid__c --",
        ),
        (
            "x,,many,,,,,",
            "INVALID_FIELD:Failed to deserialize field at col 2. Due to, 'many' is not a valid value for the type xsd:int:Count__c --",
        ),
        (
            "x,,,\"1,5\",,,,",
            "INVALID_FIELD:Failed to deserialize field at col 3. Due to, '1,5' is not a valid value for the type xsd:double:Amount__c --",
        ),
        (
            "x,,,,21.11.2026,,,",
            "INVALID_FIELD:Failed to deserialize field at col 4. Due to, '21.11.2026' is not a valid value for the type xsd:date:Due_Date__c --",
        ),
        (
            "x,,,,,soon,,",
            "INVALID_FIELD:Failed to deserialize field at col 5. Due to, 'soon' is not a valid value for the type xsd:dateTime:Sent_At__c --",
        ),
        (
            "x,,,,,,noon,",
            "INVALID_FIELD:Failed to deserialize field at col 6. Due to, 'noon' is not a valid value for the type xsd:time:Pickup_Time__c --",
        ),
        (
            "x,,,,,,,Lost",
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST:Status: bad value for restricted picklist field: Lost:Status__c --",
        ),
        (wide.as_str(), "INVALID_FIELD:A field has more than 131072 characters:--"),
    ];
    let body: String = rows.iter().map(|(row, _)| format!("{row}\n")).collect();
    let id = load(&acme, &token, job("insert", "Invoice__c"), &format!("{header}\n{body}")).await;
    let state = poll(&acme, &token, &id).await;
    assert_eq!((state["numberRecordsProcessed"].as_u64(), state["numberRecordsFailed"].as_u64()), (Some(10), Some(9)));
    let failed = results(&acme, &token, &id, FAILED).await;
    for (line, (_, error)) in failed.lines().skip(1).zip(&rows[1..]) {
        assert!(line.starts_with(&format!("\"\",\"{error}\",")), "{}\n{error}", &line[..line.len().min(300)]);
    }
    let soql = "SELECT Paid__c, Count__c, Amount__c, Due_Date__c, Sent_At__c, Pickup_Time__c FROM Invoice__c WHERE Text__c = 'ok'";
    let row = query(&acme, &token, soql).await["records"][0].clone();
    let expected = json!([true, 5, 150.0, "2026-11-21", "2026-11-21T10:00:00.000+0000", "10:15:00.000Z"]);
    let seen = json!([
        row["Paid__c"],
        row["Count__c"],
        row["Amount__c"],
        row["Due_Date__c"],
        row["Sent_At__c"],
        row["Pickup_Time__c"]
    ]);
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn what_cannot_become_a_job_is_refused_at_creation() {
    let (acme, token) = start_with(|scenario| scenario.bulk.refused_objects = vec!["Opportunity".into()]).await;
    for (body, code, message) in [
        (job("insert", "Nope"), "INVALIDJOB", "Unable to find object: Nope"),
        (job("insert", "CaseStatus"), "INVALIDENTITY", "Entity 'CaseStatus' is not supported by the Bulk API."),
        (job("insert", "Opportunity"), "INVALIDENTITY", "Entity 'Opportunity' is not supported by the Bulk API."),
        (
            job("upsert", "Account"),
            "INVALIDJOB",
            "External ID was blank for Account. An External ID must be specified for upsert.",
        ),
        (
            upsert("Account", "Phone"),
            "INVALIDJOB",
            "Field name provided, Phone does not match an External ID, Salesforce Id, or indexed field for Account",
        ),
        (job("merge", "Account"), "INVALIDJOB", "unknown variant"),
        (json!({"operation": "insert"}), "INVALIDJOB", "missing field `object`"),
    ] {
        let refused = create(&acme, &token, body).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, code), "{}", refused.text);
        assert!(refused.json()[0]["message"].as_str().unwrap().contains(message), "{}", refused.text);
    }
    let (acme, token) = start_with(|scenario| scenario.bulk.enabled = false).await;
    let refused = create(&acme, &token, job("insert", "Account")).await;
    assert_eq!(refused.json(), json!([{"errorCode": "FEATURENOTENABLED", "message": "Async API not enabled"}]));
}

#[tokio::test]
async fn a_hard_delete_needs_its_permission() {
    let (acme, token) = start_with(|scenario| {
        scenario.profiles.values_mut().for_each(|profile| profile.bulk_hard_delete = false);
    })
    .await;
    let refused = create(&acme, &token, job("hardDelete", "Account")).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "FEATURENOTENABLED"));
}

#[tokio::test]
async fn an_upload_has_a_largest_size_and_may_be_compressed() {
    let (acme, token) = start_with(|scenario| scenario.bulk.upload_kilobytes = 64).await;
    let open = async || create(&acme, &token, job("insert", "Account")).await.json()["id"].as_str().unwrap().to_owned();
    let id = open().await;
    let refused = put(&acme, &token, &id, "x".repeat((64 << 10) + 1)).await;
    assert_eq!((refused.status, refused.code().as_str()), (413, "REQUEST_ENTITY_TOO_LARGE"));
    // Without a length in front, it is found out on the way.
    let pieces = (0..80).map(|_| Ok::<_, std::io::Error>("y".repeat(1024)));
    let refused = put(&acme, &token, &id, reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))).await;
    assert_eq!(refused.status, 413);
    let zip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let put_zipped = async |id: &str, body: Vec<u8>| {
        let request = acme.request(Method::PUT, &format!("{JOBS}/{id}/batches"), &token);
        let request = request.header("content-type", "text/csv").header("content-encoding", "gzip");
        Seen::of(request.body(body).send().await.unwrap()).await
    };
    let bomb = put_zipped(&id, zip(&"z".repeat(200 << 10))).await;
    assert_eq!(bomb.status, 413, "{}", bomb.text);
    assert_eq!(put_zipped(&id, b"no gzip at all".to_vec()).await.code(), "CLIENTINPUTERROR");
    let json = acme.request(Method::PUT, &format!("{JOBS}/{id}/batches"), &token).json(&json!({}));
    assert_eq!(Seen::of(json.send().await.unwrap()).await.status, 415);
    assert_eq!(put_zipped(&id, zip("Name\nAcme\n")).await.status, 201);
    set_state(&acme, &token, &id, "UploadComplete").await;
    (0..2).for_each(|_| acme.emulator.control().step_jobs());
    assert_eq!(poll(&acme, &token, &id).await["numberRecordsProcessed"], 1);
}

#[tokio::test]
async fn faults_refuse_rows_stop_half_way_and_break_uploads() {
    let (acme, token) = start().await;
    let control = acme.emulator.control();
    let locked = "unable to obtain exclusive access to this record".to_owned();
    control.push_fault(Fault::next(
        "POST */jobs/ingest",
        Effect::FailedRows { rows: 2, code: "UNABLE_TO_LOCK_ROW".into(), message: locked },
    ));
    let id = load(&acme, &token, job("insert", "Account"), "Name\na\nb\nc\n").await;
    let failed = results(&acme, &token, &id, FAILED).await;
    assert_eq!(failed.matches("UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record:--").count(), 2);
    assert_eq!(poll(&acme, &token, &id).await["numberRecordsFailed"], 2);

    let message = "TooManyLockFailure : too many lock failures".to_owned();
    control.push_fault(Fault::next("POST */jobs/ingest", Effect::HalfDoneJob { after: 1, message: message.clone() }));
    let id = load(&acme, &token, job("insert", "Account"), "Name\na\nb\nc\n").await;
    let body = poll(&acme, &token, &id).await;
    assert_eq!((body["state"].as_str(), body["errorMessage"].as_str()), (Some("Failed"), Some(message.as_str())));
    assert_eq!(results(&acme, &token, &id, SUCCESSFUL).await.lines().count(), 2);
    assert_eq!(results(&acme, &token, &id, UNPROCESSED).await, "Name\nb\nc\n");

    control.push_fault(Fault::next("PUT */batches", Effect::CutUpload { after: 4 }));
    let id = create(&acme, &token, job("insert", "Account")).await.json()["id"].as_str().unwrap().to_owned();
    let request = acme.request(Method::PUT, &format!("{JOBS}/{id}/batches"), &token);
    assert!(request.header("content-type", "text/csv").body("Name\nAcme\n").send().await.is_err());
    assert_eq!(put(&acme, &token, &id, "Name\nAcme\n").await.status, 201, "nothing was kept of the first");

    control.push_fault(Fault::next("GET */successfulResults", Effect::ShortPage { rows: 1 }));
    let id = load(&acme, &token, job("insert", "Account"), "Name\na\nb\n").await;
    assert_eq!(results(&acme, &token, &id, "successfulResults").await.lines().count(), 2);
    assert_eq!(results(&acme, &token, &id, "successfulResults").await.lines().count(), 3);
    assert!(control.unused_faults().is_empty());
}

#[tokio::test]
async fn faults_hold_fail_abort_and_lose_jobs() {
    let (acme, token) = start().await;
    let control = acme.emulator.control();
    let struck = async |effect: Effect| {
        control.push_fault(Fault::next("POST */jobs/ingest", effect));
        load(&acme, &token, job("insert", "Account"), "Name\nx\n").await
    };
    let stuck = struck(Effect::StuckJob).await;
    control.step_jobs();
    assert_eq!(poll(&acme, &token, &stuck).await["state"], "InProgress");
    let failed = struck(Effect::FailedJob { message: "InternalServerError : x".into() }).await;
    assert_eq!(poll(&acme, &token, &failed).await["errorMessage"], "InternalServerError : x");
    let aborted = struck(Effect::AbortedJob).await;
    assert_eq!(poll(&acme, &token, &aborted).await["state"], "Aborted");
    let slow = struck(Effect::SlowJob { seconds: 60 }).await;
    assert_eq!(poll(&acme, &token, &slow).await["state"], "InProgress");
    control.advance(Duration::from_secs(61));
    control.step_jobs();
    assert_eq!(poll(&acme, &token, &slow).await["state"], "JobComplete");
    control.push_fault(Fault::next("GET */jobs/ingest/{id}", Effect::AbortedJob));
    assert_eq!(poll(&acme, &token, &stuck).await["state"], "Aborted");
    control.push_fault(Fault::next("GET */jobs/ingest/{id}", Effect::ExpiredJob));
    for _ in 0..2 {
        assert_eq!(acme.get(&format!("{JOBS}/{slow}"), &token).await.status, 404);
    }
}

#[tokio::test]
async fn batches_are_counted_against_the_day() {
    let (acme, token) = start_with(|scenario| {
        scenario.limits.daily_bulk_batches = 2;
        scenario.bulk.batch_rows = 1;
    })
    .await;
    let id = submit(&acme, &token, job("insert", "Account"), "Name\na\nb\nc\n").await;
    (0..4).for_each(|_| acme.emulator.control().step_jobs());
    let body = poll(&acme, &token, &id).await;
    let message = Some("ExceededQuota : ApiBatchItems Limit exceeded.");
    assert_eq!((body["state"].as_str(), body["errorMessage"].as_str()), (Some("Failed"), message));
    assert_eq!(results(&acme, &token, &id, UNPROCESSED).await, "Name\nc\n");
    let limits = acme.get("/services/data/v60.0/limits", &token).await.json();
    assert_eq!(limits["DailyBulkApiBatches"], json!({"Max": 2, "Remaining": 0}));
}
