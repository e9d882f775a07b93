//! Recorded answers of real orgs beside the emulator's own to the same requests: every recorded key is there, with a
//! value of the same type, and the content type is the same. The recordings lie beside the project and are never part of
//! it; where they are absent, these tests say so and pass.
//!
//! Recorded describes are compared in the schema's own tests.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, CONNECTED_KEY, CONNECTED_SECRET, Seen};

const ROOT: &str = "/services/data/v60.0";
const JSON: &str = "application/json;charset=UTF-8";
const REFRESH: &str = "5Aep.acme.connected.admin";

/// A recorded body, or `None` with a message.
fn recorded(name: &str) -> Option<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/recordings").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: there is no recording {name}");
        return None;
    };
    let mut body: Value = serde_json::from_str(&text).unwrap();
    // What the fields of a record are called is its org's affair.
    for record in body.get_mut("records").and_then(Value::as_array_mut).into_iter().flatten() {
        *record = json!({"attributes": record["attributes"]});
    }
    Some(body)
}

/// The recorded parts that `ours` lacks or has with another type.
fn differences(place: &str, theirs: &Value, ours: &Value) -> Vec<String> {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => theirs
            .iter()
            .flat_map(|(key, value)| {
                let place = format!("{place}.{key}");
                ours.get(key).map_or_else(|| vec![format!("{place} is absent")], |own| differences(&place, value, own))
            })
            .collect(),
        (Value::Array(theirs), Value::Array(ours)) => {
            let firsts = theirs.first().zip(ours.first());
            firsts.map_or_else(Vec::new, |(theirs, ours)| differences(&format!("{place}[0]"), theirs, ours))
        }
        (Value::Null, _) | (_, Value::Null) => Vec::new(),
        (theirs, ours) if std::mem::discriminant(theirs) == std::mem::discriminant(ours) => Vec::new(),
        (theirs, ours) => vec![format!("{place} is {ours}, recorded {theirs}")],
    }
}

/// Compares an answer with the recording of one to the same request.
fn compare(recording: &str, status: u16, answer: &Seen) {
    let Some(theirs) = recorded(recording) else { return };
    assert_eq!(answer.status, status, "{recording}");
    assert_eq!(answer.header("content-type"), JSON, "{recording}");
    let differences = differences("", &theirs, &answer.json());
    assert!(differences.is_empty(), "{recording}: {differences:?}");
}

#[tokio::test]
async fn token_answers_are_like_recorded_ones() {
    let acme = Acme::start().await;
    let right = acme.password_grant("admin@acme.example", "correct-horseTokenOfAdmin0000000000000").await;
    compare("restforce/auth_success_response.json", 200, &right);
    let wrong = acme.password_grant("admin@acme.example", "wrong").await;
    compare("restforce/auth_error_response.json", 400, &wrong);
    let refreshed = acme.refresh(CONNECTED_KEY, CONNECTED_SECRET, REFRESH).await;
    compare("restforce/refresh_success_response.json", 200, &refreshed);
    compare("restforce/reauth_success_response.json", 200, &refreshed);
    let expired = acme.refresh(CONNECTED_KEY, CONNECTED_SECRET, "5Aep.never.issued").await;
    compare("restforce/refresh_error_response.json", 400, &expired);
}

#[tokio::test]
async fn data_answers_are_like_recorded_ones() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let get = async |path: &str| acme.get(&format!("{ROOT}/{path}"), &token).await;
    let send = async |method: Method, path: &str, body: Value| {
        acme.send(method, &format!("{ROOT}/{path}"), &token, &body).await
    };
    let of = |name: &str| format!("restforce/sobject/{name}_response.json");

    compare("restforce/services_data_success_response.json", 200, &acme.get("/services/data", &token).await);
    compare(&of("list_sobjects_success"), 200, &get("sobjects").await);
    compare(&of("org_query"), 200, &get("query?q=SELECT+Id+FROM+Organization").await);
    compare(&of("query_paginated_first_page"), 200, &first_page(&acme, &token).await);
    compare(&of("query_empty"), 200, &get("query?q=SELECT+Id+FROM+Account+WHERE+Name='nobody'").await);
    let created = send(Method::POST, "sobjects/Account", json!({"Name": "Recorded"})).await;
    compare(&of("create_success"), 201, &created);
    let id = created.json()["id"].as_str().unwrap().to_owned();
    compare(&of("sobject_find_error"), 404, &get("sobjects/Account/Name/23foo").await);
    compare(&of("write_error"), 400, &send(Method::POST, "sobjects/Account", json!({"foo": 1})).await);
    compare(&of("sobject_describe_error"), 404, &get("sobjects/Whizbang/describe").await);
    compare(&of("query_error"), 400, &get("query?q=SELECT+Nothing+FROM+Account").await);
    assert_eq!(send(Method::DELETE, &format!("sobjects/Account/{id}"), Value::Null).await.status, 204);
    acme.emulator.control().advance(std::time::Duration::from_secs(120));
    let window = "start=2026-11-21T08:50:00Z&end=2026-11-21T09:02:00Z";
    compare(&of("get_deleted_success"), 200, &get(&format!("sobjects/Account/deleted?{window}")).await);
    compare(&of("get_updated_success"), 200, &get(&format!("sobjects/Account/updated?{window}")).await);
}

#[tokio::test]
async fn searches_groups_and_recent_records_are_like_recorded_ones() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let of = |name: &str| format!("restforce/sobject/{name}_response.json");
    let found = json!({"Name": "Whizbang Industries", "Customer_Number__c": "W-1"});
    let created = acme.send(Method::POST, &format!("{ROOT}/sobjects/Account"), &token, &found).await;
    let id = created.json()["id"].as_str().unwrap().to_owned();

    // The recording is of v23.0: up to v36.0 the answer is the list alone.
    let search = async |version: &str, words: &str| {
        acme.get(&format!("/services/data/{version}/search?q=FIND+{words}+RETURNING+Account(Id)"), &token).await
    };
    compare(&of("search_success"), 200, &search("v36.0", "%7BWhizbang%7D").await);
    let newer = search("v37.0", "%7BWhizbang%7D").await.json();
    assert_eq!(newer["searchRecords"][0]["Id"], json!(id));
    compare(&of("search_error"), 400, &search("v60.0", "Whizbang").await);

    assert_eq!(acme.get(&format!("{ROOT}/sobjects/Account/{id}"), &token).await.status, 200);
    compare(&of("recent_success"), 200, &acme.get(&format!("{ROOT}/recent"), &token).await);
    let groups = "query?q=SELECT+AccountId,+SUM(Score__c)+FROM+Contact+GROUP+BY+AccountId+LIMIT+3";
    let groups = acme.get(&format!("{ROOT}/{groups}"), &token).await;
    assert_eq!(groups.status, 200);
    assert_eq!(groups.json()["records"][0]["attributes"], json!({"type": "AggregateResult"}));

    let by_key = format!("{ROOT}/sobjects/Account/Customer_Number__c/W-1?fields=Id,Customer_Number__c");
    assert_eq!(acme.get(&by_key, &token).await.json()["Id"], json!(id));
    let wrong_key = format!("{ROOT}/sobjects/Account/Namez/foo");
    compare(&of("upsert_error"), 404, &acme.send(Method::PATCH, &wrong_key, &token, &json!({"Name": "foo"})).await);
}

/// A page that has a next one.
async fn first_page(acme: &Acme, token: &str) -> Seen {
    let request = acme.request(Method::GET, &format!("{ROOT}/query?q=SELECT+Id+FROM+Contact"), token);
    Seen::of(request.header("Sforce-Query-Options", "batchSize=200").send().await.unwrap()).await
}

#[tokio::test]
async fn an_expired_session_is_refused_like_a_recorded_one() {
    let acme = Acme::start().await;
    let answer = acme.get(&format!("{ROOT}/sobjects"), "00DgL000000ACME!never.issued").await;
    compare("restforce/expired_session_response.json", 401, &answer);
}
