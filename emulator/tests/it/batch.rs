//! Requests that know nothing of each other, in one call.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen};

const ROOT: &str = "/services/data/v60.0";

async fn batch(acme: &Acme, token: &str, halt: bool, requests: Value) -> Seen {
    let body = json!({"haltOnError": halt, "batchRequests": requests});
    acme.send(Method::POST, &format!("{ROOT}/composite/batch"), token, &body).await
}

fn statuses(answer: &Seen) -> Vec<u64> {
    let results = answer.json()["results"].clone();
    results.as_array().unwrap().iter().map(|result| result["statusCode"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn each_request_is_answered_by_itself_in_the_version_of_its_url() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let id = acme.emulator.control().insert("Account", json!({"Name": "Old"})).unwrap();
    let requests = json!([
        {"method": "PATCH", "url": format!("v60.0/sobjects/Account/{id}"), "richInput": {"Name": "New"}},
        {"method": "GET", "url": format!("v58.0/sobjects/Account/{id}?fields=Name")},
        {"method": "GET", "url": format!("{ROOT}/sobjects/Nope/describe")},
        {"method": "POST", "url": "/v60.0/composite", "richInput": {"compositeRequest": []}},
    ]);
    let answer = batch(&acme, &token, false, requests).await;
    assert_eq!((answer.status, &answer.json()["hasErrors"]), (200, &json!(true)));
    assert_eq!(statuses(&answer), [204, 200, 404, 404]);
    let results = answer.json()["results"].clone();
    assert_eq!(results[0]["result"], Value::Null);
    assert_eq!(results[1]["result"]["Name"], "New");
    assert!(results[1]["result"]["attributes"]["url"].as_str().unwrap().starts_with("/services/data/v58.0/"));
}

#[tokio::test]
async fn a_batch_that_halts_on_an_error_answers_412_to_the_rest() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let requests = json!([
        {"method": "GET", "url": "v60.0/limits"},
        {"method": "GET", "url": "v60.0/nonsense"},
        {"method": "POST", "url": "v60.0/sobjects/Account", "richInput": {"Name": "Not made"}},
    ]);
    let answer = batch(&acme, &token, true, requests.clone()).await;
    assert_eq!(statuses(&answer), [200, 404, 412]);
    let halted = &answer.json()["results"][2]["result"][0];
    assert_eq!(halted["errorCode"], "BATCH_PROCESSING_HALTED");
    assert_eq!(statuses(&batch(&acme, &token, false, requests).await), [200, 404, 201]);
}

#[tokio::test]
async fn every_request_of_a_batch_counts_and_there_are_25_at_most() {
    let acme = Acme::start_with(|scenario| scenario.limits.daily_api_requests = 4).await;
    let token = acme.sign_in_as_admin().await;
    let limits = json!({"method": "GET", "url": "v60.0/sobjects/Account/listviews"});
    let answer = batch(&acme, &token, false, json!(vec![limits.clone(); 3])).await;
    assert_eq!(answer.header("sforce-limit-info"), "api-usage=3/4");
    let over = batch(&acme, &token, false, json!(vec![limits.clone(); 2])).await;
    assert_eq!(statuses(&over), [200, 403]);

    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    assert_eq!(batch(&acme, &token, false, json!(vec![limits.clone(); 25])).await.status, 200);
    assert_eq!(batch(&acme, &token, false, json!(vec![limits; 26])).await.status, 400);
}
