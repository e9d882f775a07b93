//! Records with their children in one call.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Acme, Seen};
use crate::rest::query;

const ROOT: &str = "/services/data/v60.0";

async fn plant(acme: &Acme, token: &str, records: Value) -> Seen {
    let path = format!("{ROOT}/composite/tree/Account/");
    acme.send(Method::POST, &path, token, &json!({"records": records})).await
}

fn tree(email: &str) -> Value {
    json!([
        {"attributes": {"type": "Account", "referenceId": "ref1"}, "name": "SampleAccount", "Contacts": {"records": [
            {"attributes": {"type": "Contact", "referenceId": "ref2"}, "lastname": "Smith", "email": email},
            {"attributes": {"type": "Contact", "referenceId": "ref3"}, "lastname": "Evans"},
        ]}},
        {"attributes": {"type": "Account", "referenceId": "ref4"}, "name": "SampleAccount2"},
    ])
}

#[tokio::test]
async fn a_tree_is_planted_level_by_level_with_children_that_name_their_parent() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let answer = plant(&acme, &token, tree("sample@example.com")).await;
    assert_eq!((answer.status, &answer.json()["hasErrors"]), (201, &json!(false)), "{}", answer.text);
    let results = answer.json()["results"].as_array().unwrap().clone();
    let references: Vec<&str> = results.iter().map(|result| result["referenceId"].as_str().unwrap()).collect();
    assert_eq!(references, ["ref1", "ref4", "ref2", "ref3"]);
    let soql = "SELECT AccountId FROM Contact WHERE LastName = 'Smith' AND Email = 'sample@example.com'";
    let parent = query(&acme, &token, soql).await.json()["records"][0]["AccountId"].clone();
    assert_eq!(parent, results[0]["id"]);
}

#[tokio::test]
async fn one_record_that_fails_undoes_the_whole_tree() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let answer = plant(&acme, &token, tree("123")).await;
    let error = json!({
        "statusCode": "INVALID_EMAIL_ADDRESS",
        "message": "Email: invalid email address: 123",
        "fields": ["Email"],
    });
    let expected = json!({"hasErrors": true, "results": [{"referenceId": "ref2", "errors": [error]}]});
    assert_eq!((answer.status, answer.json()), (400, expected));
    let left = query(&acme, &token, "SELECT COUNT() FROM Account WHERE Name LIKE 'SampleAccount%'").await;
    assert_eq!(left.json()["totalSize"], 0);
}

#[tokio::test]
async fn trees_beyond_the_limits_and_without_reference_ids_are_refused() {
    let acme = Acme::start().await;
    let token = acme.sign_in_as_admin().await;
    let leaf = |number: usize| json!({"attributes": {"type": "Account", "referenceId": format!("r{number}")}, "Name": format!("n{number}")});
    let many: Vec<Value> = (0..201).map(leaf).collect();
    assert_eq!(plant(&acme, &token, json!(many)).await.status, 400);
    assert_eq!(plant(&acme, &token, json!(many[..200])).await.status, 201);
    let deep = (0..6).rev().fold(Value::Null, |below, level| {
        let mut record = leaf(level);
        if !below.is_null() {
            record["ChildAccounts"] = json!({"records": [below]});
        }
        record
    });
    let refused = plant(&acme, &token, json!([deep])).await;
    assert!(refused.status == 400 && refused.text.contains("levels"), "{}", refused.text);
    for records in [json!([leaf(1), leaf(1)]), json!([{"attributes": {"type": "Account"}, "Name": "x"}])] {
        let refused = plant(&acme, &token, records).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "INVALID_INPUT"), "{}", refused.text);
    }
    let unknown =
        json!([{"attributes": {"type": "Account", "referenceId": "a"}, "Name": "x", "Nieces": {"records": []}}]);
    assert_eq!(plant(&acme, &token, unknown).await.code(), "INVALID_FIELD");
}
